package local

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
)

func (p *probe) createThing(name, typeName string, attributes ...string) error {
	in := &iot.CreateThingInput{ThingName: p.name(name)}
	if typeName != "" {
		in.ThingTypeName = p.name(typeName)
	}
	if len(attributes) > 0 {
		in.AttributePayload = &types.AttributePayload{Attributes: pairs(attributes)}
	}
	return errorOf(p.iot.CreateThing(p.Context(), in))
}

func (p *probe) updateThing(name string, change func(*iot.UpdateThingInput)) error {
	in := &iot.UpdateThingInput{ThingName: p.name(name)}
	change(in)
	return errorOf(p.iot.UpdateThing(p.Context(), in))
}

func (p *probe) thing(name string) *iot.DescribeThingOutput {
	p.Helper()
	out, err := p.iot.DescribeThing(p.Context(), &iot.DescribeThingInput{ThingName: p.name(name)})
	if err != nil {
		p.Fatal(err)
	}
	return out
}

func (p *probe) createType(name string, searchable ...string) error {
	in := &iot.CreateThingTypeInput{ThingTypeName: p.name(name)}
	if searchable != nil {
		in.ThingTypeProperties = &types.ThingTypeProperties{SearchableAttributes: searchable}
	}
	return errorOf(p.iot.CreateThingType(p.Context(), in))
}

func (p *probe) deprecate(name string, undo bool) error {
	return errorOf(p.iot.DeprecateThingType(p.Context(), &iot.DeprecateThingTypeInput{ThingTypeName: p.name(name), UndoDeprecate: undo}))
}

func (p *probe) deleteType(name string) error {
	return errorOf(p.iot.DeleteThingType(p.Context(), &iot.DeleteThingTypeInput{ThingTypeName: p.name(name)}))
}

func many(n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprint("a", i), "v")
	}
	return list
}

var thingRules = []rule{
	{"thing-create-same-again", func(p *probe) {
		p.fine(nil, p.createType("t"))
		p.fine(nil, p.createThing("a", "t", "k", "v"))
		id := *p.thing("a").ThingId
		p.fine(nil, p.createThing("a", "t", "k", "v"))
		equalTo(p, "id", *p.thing("a").ThingId, id)
		equalTo(p, "version", p.thing("a").Version, 1)
	}},
	{"thing-create-other-configuration", func(p *probe) {
		p.fine(nil, p.createType("t"))
		p.fine(nil, p.createThing("a", "", "k", "v"))
		p.refused("ResourceAlreadyExistsException", 409, map[string]error{
			"another type":      p.createThing("a", "t", "k", "v"),
			"another attribute": p.createThing("a", "", "k", "w"),
			"no attribute":      p.createThing("a", ""),
		})
	}},
	{"thing-create-again-keeps-shadow", func(p *probe) {
		p.fine(nil, p.createThing("a", ""))
		p.fine(p.update("a", `{"state":{"reported":{"t":1}}}`))
		p.fine(nil, p.createThing("a", ""))
		equalTo(p, "version of the shadow", p.shadow("a")["version"], 1.0)
	}},
	{"thing-of-unknown-type", func(p *probe) {
		wantError(p, "create", p.createThing("a", "none"), "ResourceNotFoundException", 404)
		p.fine(nil, p.createThing("a", ""))
		wantError(p, "update", p.updateThing("a", func(in *iot.UpdateThingInput) { in.ThingTypeName = p.name("none") }), "ResourceNotFoundException", 404)
	}},
	{"thing-name", func(p *probe) {
		for _, bad := range []string{"a b", "a.b", "a/b", "ä", strings.Repeat("n", 129)} {
			wantError(p, bad, errorOf(p.iot.CreateThing(p.Context(), &iot.CreateThingInput{ThingName: &bad})), "InvalidRequestException", 400)
		}
		p.fine(p.iot.CreateThing(p.Context(), &iot.CreateThingInput{ThingName: aws.String("a:B_-" + strings.Repeat("n", 123))}))
	}},
	{"thing-attribute-limits", func(p *probe) {
		p.fine(nil, p.createType("t"))
		p.fine(nil, p.createThing("three", "", many(3)...))
		p.fine(nil, p.createThing("fifty", "t", many(50)...))
		p.refused("InvalidRequestException", 400, map[string]error{
			"four without a type":    p.createThing("a", "", many(4)...),
			"51 with a type":         p.createThing("a", "t", many(51)...),
			"type of fifty removed":  p.updateThing("fifty", func(in *iot.UpdateThingInput) { in.RemoveThingType = true }),
			"name with a space":      p.createThing("a", "", "a b", "v"),
			"name of 129 characters": p.createThing("a", "", strings.Repeat("n", 129), "v"),
			"value with a space":     p.createThing("a", "", "a", "a b"),
			"value of 801":           p.createThing("a", "", "a", strings.Repeat("v", 801)),
		})
		p.fine(nil, p.createThing("a", "", "a.,@/:#-_", "a.,@/:#=[]-_"+strings.Repeat("v", 788)))
	}},
	{"thing-does-not-exist", func(p *probe) {
		p.refused("ResourceNotFoundException", 404, map[string]error{
			"describe": errorOf(p.iot.DescribeThing(p.Context(), &iot.DescribeThingInput{ThingName: p.name("none")})),
			"update":   p.updateThing("none", func(*iot.UpdateThingInput) {}),
		})
	}},
	{"thing-describe", func(p *probe) {
		p.fine(nil, p.createType("t"))
		p.fine(nil, p.createThing("a", "t", "k", "v"))
		got := p.thing("a")
		equalTo(p, "name", *got.ThingName+" "+*got.DefaultClientId+" "+*got.ThingTypeName, *p.name("a")+" "+*p.name("a")+" "+*p.name("t"))
		equalTo(p, "attribute", got.Attributes["k"], "v")
		if !strings.HasPrefix(*got.ThingArn, "arn:aws:iot:us-east-1:") || !strings.HasSuffix(*got.ThingArn, ":thing/"+*p.name("a")) {
			p.Errorf("ARN %s", *got.ThingArn)
		}
	}},
	{"thing-update", func(p *probe) {
		p.fine(nil, p.createType("t"))
		p.fine(nil, p.createThing("a", "", "k", "v", "l", "w"))
		p.fine(nil, p.updateThing("a", func(in *iot.UpdateThingInput) {
			in.ThingTypeName = p.name("t")
			in.AttributePayload = &types.AttributePayload{Attributes: map[string]string{"l": "", "m": "x"}, Merge: true}
		}))
		got := p.thing("a")
		equalTo(p, "merged", fmt.Sprint(got.Attributes), "map[k:v m:x]")
		equalTo(p, "version", got.Version, 2)
		p.fine(nil, p.updateThing("a", func(in *iot.UpdateThingInput) {
			in.RemoveThingType = true
			in.AttributePayload = &types.AttributePayload{Attributes: map[string]string{"n": "y"}}
		}))
		got = p.thing("a")
		equalTo(p, "replaced", fmt.Sprint(got.Attributes), "map[n:y]")
		equalTo(p, "type", got.ThingTypeName, nil)
	}},
	{"thing-expected-version", func(p *probe) {
		p.fine(nil, p.createThing("a", ""))
		update := func(version int64) error {
			return p.updateThing("a", func(in *iot.UpdateThingInput) { in.ExpectedVersion = &version })
		}
		wantError(p, "update", update(2), "VersionConflictException", 409)
		p.fine(nil, update(1))
		remove := func(version int64) error {
			return errorOf(p.iot.DeleteThing(p.Context(), &iot.DeleteThingInput{ThingName: p.name("a"), ExpectedVersion: &version}))
		}
		wantError(p, "delete", remove(1), "VersionConflictException", 409)
		p.fine(nil, remove(2))
	}},
	{"thing-delete", func(p *probe) {
		p.fine(nil, p.createThing("a", ""))
		p.fine(p.update("a", `{"state":{"reported":{"t":1}}}`))
		for range 2 { // a thing that does not exist is no error
			p.fine(p.iot.DeleteThing(p.Context(), &iot.DeleteThingInput{ThingName: p.name("a")}))
		}
		equalTo(p, "version of its shadow", p.shadow("a")["version"], 1.0)
	}},
	{"thing-list", func(p *probe) {
		p.fine(nil, p.createType("t"))
		for i := range 5 {
			p.fine(nil, p.createThing(fmt.Sprint("a", i), "t", "k", fmt.Sprint("v", i%2)))
		}
		p.fine(nil, p.createThing("b", ""))
		in := &iot.ListThingsInput{ThingTypeName: p.name("t"), MaxResults: aws.Int32(3)}
		first, err := p.iot.ListThings(p.Context(), in)
		p.fine(first, err)
		in.NextToken = first.NextToken
		second, err := p.iot.ListThings(p.Context(), in)
		p.fine(second, err)
		equalTo(p, "pages", fmt.Sprint(len(first.Things), len(second.Things), second.NextToken == nil), "3 2 true")
		exact, err := p.iot.ListThings(p.Context(), &iot.ListThingsInput{ThingTypeName: p.name("t"), AttributeName: aws.String("k"), AttributeValue: aws.String("v1")})
		p.fine(exact, err)
		equalTo(p, "things with v1", len(exact.Things), 2)
		_, err = p.iot.ListThings(p.Context(), &iot.ListThingsInput{MaxResults: aws.Int32(251)})
		wantError(p, "251 a page", err, "InvalidRequestException", 400)
	}},
	{"thing-of-another-region", func(p *probe) {
		p.fine(nil, p.createThing("a", ""))
		_, err := p.eu.iot.DescribeThing(p.Context(), &iot.DescribeThingInput{ThingName: p.name("a")})
		wantError(p, "in eu-west-1", err, "ResourceNotFoundException", 404)
	}},
}

var thingTypeRules = []rule{
	{"type-create-same-again", func(p *probe) {
		p.fine(nil, p.createType("t", "a", "b"))
		p.fine(nil, p.createType("t", "a", "b"))
		wantError(p, "other configuration", p.createType("t", "c"), "ResourceAlreadyExistsException", 409)
	}},
	{"type-limits", func(p *probe) {
		bad := "a b"
		p.refused("InvalidRequestException", 400, map[string]error{
			"name":                       errorOf(p.iot.CreateThingType(p.Context(), &iot.CreateThingTypeInput{ThingTypeName: &bad})),
			"four searchable attributes": p.createType("t", "a", "b", "c", "d"),
			"description": errorOf(p.iot.CreateThingType(p.Context(), &iot.CreateThingTypeInput{ThingTypeName: p.name("t"),
				ThingTypeProperties: &types.ThingTypeProperties{ThingTypeDescription: aws.String(strings.Repeat("d", 2029))}})),
		})
	}},
	{"type-deprecated", func(p *probe) {
		p.fine(nil, p.createType("t"))
		p.fine(nil, p.createThing("old", "t"))
		p.fine(nil, p.deprecate("t", false))
		wantError(p, "create", p.createThing("new", "t"), "InvalidRequestException", 400)
		p.fine(nil, p.createThing("bare", ""))
		wantError(p, "update", p.updateThing("bare", func(in *iot.UpdateThingInput) { in.ThingTypeName = p.name("t") }), "InvalidRequestException", 400)
		equalTo(p, "type of a thing from before", aws.ToString(p.thing("old").ThingTypeName), *p.name("t"))
		out, err := p.iot.DescribeThingType(p.Context(), &iot.DescribeThingTypeInput{ThingTypeName: p.name("t")})
		p.fine(out, err)
		if !out.ThingTypeMetadata.Deprecated || out.ThingTypeMetadata.DeprecationDate == nil {
			p.Errorf("metadata %+v", out.ThingTypeMetadata)
		}
		p.fine(nil, p.deprecate("t", true))
		p.fine(nil, p.createThing("new", "t"))
	}},
	{"type-delete", func(p *probe) {
		p.fine(nil, p.createType("t"))
		p.fine(nil, p.createThing("a", "t"))
		wantError(p, "not deprecated", p.deleteType("t"), "InvalidRequestException", 400)
		p.fine(nil, p.deprecate("t", false))
		wantError(p, "at once", p.deleteType("t"), "InvalidRequestException", 400)
		p.sleep(5 * time.Minute)
		wantError(p, "with a thing", p.deleteType("t"), "InvalidRequestException", 400)
		p.fine(nil, p.updateThing("a", func(in *iot.UpdateThingInput) { in.RemoveThingType = true }))
		p.fine(nil, p.deleteType("t"))
		wantError(p, "again", p.deleteType("t"), "ResourceNotFoundException", 404)
	}},
	{"type-does-not-exist", func(p *probe) {
		p.refused("ResourceNotFoundException", 404, map[string]error{
			"describe":  errorOf(p.iot.DescribeThingType(p.Context(), &iot.DescribeThingTypeInput{ThingTypeName: p.name("t")})),
			"deprecate": p.deprecate("t", false),
			"delete":    p.deleteType("t"),
		})
	}},
	{"type-update", func(p *probe) {
		p.fine(nil, p.createType("t", "a"))
		p.fine(p.iot.UpdateThingType(p.Context(), &iot.UpdateThingTypeInput{ThingTypeName: p.name("t"),
			ThingTypeProperties: &types.ThingTypeProperties{ThingTypeDescription: aws.String("now")}}))
		out, err := p.iot.DescribeThingType(p.Context(), &iot.DescribeThingTypeInput{ThingTypeName: p.name("t")})
		p.fine(out, err)
		equalTo(p, "description", aws.ToString(out.ThingTypeProperties.ThingTypeDescription), "now")
	}},
	{"type-list", func(p *probe) {
		p.fine(nil, p.createType("t1"))
		p.fine(nil, p.createType("t2"))
		out, err := p.iot.ListThingTypes(p.Context(), &iot.ListThingTypesInput{ThingTypeName: p.name("t1")})
		p.fine(out, err)
		if len(out.ThingTypes) != 1 || *out.ThingTypes[0].ThingTypeName != *p.name("t1") || out.ThingTypes[0].ThingTypeMetadata.CreationDate == nil {
			p.Errorf("types %+v", out.ThingTypes)
		}
	}},
}
