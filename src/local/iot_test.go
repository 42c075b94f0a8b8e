package local

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
)

func asType[T error](err error) (T, bool) {
	var target T
	ok := errors.As(err, &target)
	return target, ok
}

func updateShadow(t testing.TB, c clients, thing, payload string) (map[string]any, error) {
	t.Helper()
	out, err := c.data.UpdateThingShadow(t.Context(), &iotdataplane.UpdateThingShadowInput{ThingName: &thing, Payload: []byte(payload)})
	if err != nil {
		return nil, err
	}
	return parse(t, out.Payload), nil
}

func getShadow(t testing.TB, c clients, thing string) map[string]any {
	t.Helper()
	out, err := c.data.GetThingShadow(t.Context(), &iotdataplane.GetThingShadowInput{ThingName: &thing})
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, out.Payload)
}

func parse(t testing.TB, b []byte) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return doc
}

func TestShadowDocuments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the bubble's clock begins at 946684800
		_, c := start(t, Options{})
		for _, step := range []struct{ update, accepted, document string }{
			{
				`{"state":{"reported":{"color":{"r":255,"g":0},"on":true}},"clientToken":"ct"}`,
				`{"state":{"reported":{"color":{"r":255,"g":0},"on":true}},
				  "metadata":{"reported":{"color":{"r":{"timestamp":946684800},"g":{"timestamp":946684800}},"on":{"timestamp":946684800}}},
				  "version":1,"timestamp":946684800,"clientToken":"ct"}`,
				`{"state":{"reported":{"color":{"r":255,"g":0},"on":true}},
				  "metadata":{"reported":{"color":{"r":{"timestamp":946684800},"g":{"timestamp":946684800}},"on":{"timestamp":946684800}}},
				  "version":1,"timestamp":946684800}`,
			}, {
				`{"state":{"desired":{"color":{"r":10},"list":[1,2]},"reported":{"on":null,"color":{"g":7}}},"version":1}`,
				`{"state":{"desired":{"color":{"r":10},"list":[1,2]},"reported":{"on":null,"color":{"g":7}}},
				  "metadata":{"desired":{"color":{"r":{"timestamp":946684805}},"list":[{"timestamp":946684805},{"timestamp":946684805}]},
				              "reported":{"on":{"timestamp":946684805},"color":{"g":{"timestamp":946684805}}}},
				  "version":2,"timestamp":946684805}`,
				`{"state":{"desired":{"color":{"r":10},"list":[1,2]},"reported":{"color":{"r":255,"g":7}},"delta":{"color":{"r":10},"list":[1,2]}},
				  "metadata":{"desired":{"color":{"r":{"timestamp":946684805}},"list":[{"timestamp":946684805},{"timestamp":946684805}]},
				              "reported":{"color":{"r":{"timestamp":946684800},"g":{"timestamp":946684805}}},
				              "delta":{"color":{"r":{"timestamp":946684805}},"list":[{"timestamp":946684805},{"timestamp":946684805}]}},
				  "version":2,"timestamp":946684805}`,
			}, {
				`{"state":{"desired":null,"reported":{"color":"red"}}}`,
				`{"state":{"desired":null,"reported":{"color":"red"}},
				  "metadata":{"desired":{"timestamp":946684810},"reported":{"color":{"timestamp":946684810}}},"version":3,"timestamp":946684810}`,
				`{"state":{"reported":{"color":"red"}},"metadata":{"reported":{"color":{"timestamp":946684810}}},"version":3,"timestamp":946684810}`,
			},
		} {
			accepted, err := updateShadow(t, c, "a1", step.update)
			if err != nil {
				t.Fatal(err)
			}
			if want := parse(t, []byte(step.accepted)); !reflect.DeepEqual(accepted, want) {
				t.Errorf("answer to %s:\n got %v\nwant %v", step.update, accepted, want)
			}
			if got, want := getShadow(t, c, "a1"), parse(t, []byte(step.document)); !reflect.DeepEqual(got, want) {
				t.Errorf("document after %s:\n got %v\nwant %v", step.update, got, want)
			}
			time.Sleep(5 * time.Second)
		}
		_, err := updateShadow(t, c, "a1", `{"state":{"reported":{"x":1}},"version":2}`)
		wantError(t, "old version", err, "ConflictException", 409)
	})
}

func TestShadowDelete(t *testing.T) {
	_, c := start(t, Options{})
	in := &iotdataplane.DeleteThingShadowInput{ThingName: aws.String("a1")}
	_, err := c.data.DeleteThingShadow(t.Context(), in)
	wantError(t, "no shadow", err, "ResourceNotFoundException", 404)
	for range 2 {
		if _, err := updateShadow(t, c, "a1", `{"state":{"reported":{"x":1}}}`); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.data.DeleteThingShadow(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	_, err = c.data.GetThingShadow(t.Context(), &iotdataplane.GetThingShadowInput{ThingName: aws.String("a1")})
	wantError(t, "deleted", err, "ResourceNotFoundException", 404)
	accepted, err := updateShadow(t, c, "a1", `{"state":{"reported":{"y":1}}}`)
	if err != nil || accepted["version"] != 4.0 {
		t.Errorf("version after delete and update: %v (%v), want 4", accepted["version"], err)
	}
}

func TestThings(t *testing.T) {
	_, c := start(t, Options{})
	ctx := t.Context()
	_, err := c.iot.CreateThing(ctx, &iot.CreateThingInput{ThingName: aws.String("a:1"), ThingTypeName: aws.String("th")})
	wantError(t, "no such type", err, "ResourceNotFoundException", 404)
	for range 2 { // the same again: no error
		if _, err := c.iot.CreateThingType(ctx, &iot.CreateThingTypeInput{ThingTypeName: aws.String("th")}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.iot.CreateThing(ctx, &iot.CreateThingInput{ThingName: aws.String("a:1"), ThingTypeName: aws.String("th")}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = c.iot.CreateThing(ctx, &iot.CreateThingInput{ThingName: aws.String("a:1")})
	wantError(t, "other configuration", err, "ResourceAlreadyExistsException", 409)
	if e, ok := asType[*types.ResourceAlreadyExistsException](err); !ok || aws.ToString(e.ResourceId) != "a:1" {
		t.Errorf("other configuration: %v", err)
	}
	thing, err := c.iot.DescribeThing(ctx, &iot.DescribeThingInput{ThingName: aws.String("a:1")})
	if err != nil || aws.ToString(thing.ThingTypeName) != "th" || thing.Version != 1 {
		t.Errorf("thing %+v, %v", thing, err)
	}
	tt, err := c.iot.DescribeThingType(ctx, &iot.DescribeThingTypeInput{ThingTypeName: aws.String("th")})
	if err != nil || tt.ThingTypeMetadata.CreationDate == nil {
		t.Errorf("type %+v, %v", tt, err)
	}
	list, err := c.iot.ListThings(ctx, &iot.ListThingsInput{ThingTypeName: aws.String("th")})
	if err != nil || len(list.Things) != 1 {
		t.Errorf("things %+v, %v", list, err)
	}
	_, err = c.iot.ListPolicies(ctx, &iot.ListPoliciesInput{})
	wantError(t, "not implemented", err, "UnknownOperationException", 404)
}
