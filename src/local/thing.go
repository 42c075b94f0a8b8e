package local

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A thing is an entry of the registry. It does not change: an update replaces it.
type thing struct {
	ID         string            `json:"thingId"`
	Type       string            `json:"thingTypeName,omitempty"`
	Attributes map[string]string `json:"attributes"`
	Version    int64             `json:"version"`
}

// A registry is the things and types of one region.
type registry struct {
	mu     sync.RWMutex // guards the following
	commit *commit      // what makes the last change durable; nil: it is
	things map[string]*thing
	types  map[string]*thingType
}

func newRegistry() registry {
	return registry{things: make(map[string]*thing), types: make(map[string]*thingType)}
}

// nameExtra are the characters that names of things and types may have beside letters,
// digits and underscores (service model: [a-zA-Z0-9:_-]+, 128).
const nameExtra = ":-"

func checkThingName(name string) *apiError {
	if !validName(name, 128, nameExtra) {
		return invalidRequest("1 validation error detected: Value '%s' at 'thingName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+ and have length less than or equal to 128", name)
	}
	return nil
}

type attributePayload struct {
	Attributes map[string]string `json:"attributes"`
	Merge      bool              `json:"merge"`
}

// Attribute limits: a thing without a type has 3, with a type 50 (AWS IoT endpoints and
// quotas); names 128 characters, values 800 (service model).
const (
	maxAttributesBare  = 3
	maxAttributesTyped = 50
)

func checkThingAttributes(attributes map[string]string, typed bool) *apiError {
	most := maxAttributesBare
	if typed {
		most = maxAttributesTyped
	}
	if len(attributes) > most {
		return invalidRequest("Thing attributes count %d exceeds the limit of %d.", len(attributes), most)
	}
	for k, v := range attributes {
		if !validName(k, 128, ".,@/:#-") {
			return invalidRequest("Attribute name '%s' must satisfy [a-zA-Z0-9_.,@/:#-]+ and have at most 128 characters.", k)
		}
		if v != "" && !validName(v, 800, ".,@/:#=[]-") {
			return invalidRequest("Attribute value '%s' must satisfy [a-zA-Z0-9_.,@/:#=[]-]* and have at most 800 characters.", v)
		}
	}
	return nil
}

type createThingIn struct {
	ThingTypeName    string           `json:"thingTypeName"`
	AttributePayload attributePayload `json:"attributePayload"`
	BillingGroupName string           `json:"billingGroupName"`
}

type createThingOut struct {
	ThingName string `json:"thingName"`
	ThingARN  string `json:"thingArn"`
	ThingID   string `json:"thingId"`
}

func (s *Service) createThing(c *call, in *createThingIn) (any, *apiError) {
	name := c.path["thingName"]
	if err := checkThingName(name); err != nil {
		return nil, err
	}
	if in.BillingGroupName != "" {
		return nil, notFound("Billing group %s not found.", in.BillingGroupName)
	}
	if err := checkThingAttributes(in.AttributePayload.Attributes, in.ThingTypeName != ""); err != nil {
		return nil, err
	}
	attributes := withoutEmpty(in.AttributePayload.Attributes)
	arn := s.iotARN(c, "thing", name)

	g := &c.region.registry
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.things[name]; t != nil {
		if t.Type != in.ThingTypeName || !maps.Equal(t.Attributes, attributes) {
			return nil, &apiError{
				name:        "ResourceAlreadyExistsException",
				status:      http.StatusConflict,
				message:     "Thing " + name + " already exists in account with different attributes",
				resourceID:  name,
				resourceARN: arn,
			}
		}
		c.commit = g.commit
		return createThingOut{name, arn, t.ID}, nil
	}
	if err := g.checkAssociation(in.ThingTypeName); err != nil {
		return nil, err
	}
	t := &thing{ID: newID(), Type: in.ThingTypeName, Attributes: attributes, Version: 1}
	g.things[name] = t
	s.saveRegistry(c, t.saved(c.region, name))
	return createThingOut{name, arn, t.ID}, nil
}

// checkAssociation tells whether a thing may be given that type. The caller holds mu.
func (g *registry) checkAssociation(typeName string) *apiError {
	if typeName == "" {
		return nil
	}
	tt := g.types[typeName]
	if tt == nil {
		return notFound("Thing type %s does not exist.", typeName)
	}
	if tt.Deprecated {
		return invalidRequest("Can not associate new things with the deprecated thing type %s.", typeName)
	}
	return nil
}

func notFound(format string, args ...any) *apiError {
	return fail(http.StatusNotFound, "ResourceNotFoundException", format, args...)
}

// withoutEmpty drops attributes without a value: that is how an attribute is removed.
func withoutEmpty(attributes map[string]string) map[string]string {
	out := make(map[string]string, len(attributes))
	for k, v := range attributes {
		if v != "" {
			out[k] = v
		}
	}
	return out
}

func (s *Service) describeThing(c *call) (any, *apiError) {
	name := c.path["thingName"]
	if err := checkThingName(name); err != nil {
		return nil, err
	}
	g := &c.region.registry
	g.mu.RLock()
	t := g.things[name]
	c.commit = g.commit
	g.mu.RUnlock()
	if t == nil {
		return nil, notFound("Thing %s does not exist.", name)
	}
	return struct {
		DefaultClientID string `json:"defaultClientId"`
		thingOut
		ThingID string `json:"thingId"`
	}{name, s.thingOut(c, name, t), t.ID}, nil
}

// thingOut is a thing as DescribeThing and ListThings show it.
type thingOut struct {
	ThingName  string            `json:"thingName"`
	ThingARN   string            `json:"thingArn"`
	Type       string            `json:"thingTypeName,omitempty"`
	Attributes map[string]string `json:"attributes"`
	Version    int64             `json:"version"`
}

func (s *Service) thingOut(c *call, name string, t *thing) thingOut {
	return thingOut{name, s.iotARN(c, "thing", name), t.Type, t.Attributes, t.Version}
}

type updateThingIn struct {
	ThingTypeName    string            `json:"thingTypeName"`
	AttributePayload *attributePayload `json:"attributePayload"`
	ExpectedVersion  *int64            `json:"expectedVersion"`
	RemoveThingType  bool              `json:"removeThingType"`
}

func (s *Service) updateThing(c *call, in *updateThingIn) (any, *apiError) {
	name := c.path["thingName"]
	if err := checkThingName(name); err != nil {
		return nil, err
	}
	g := &c.region.registry
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.things[name]
	if t == nil {
		return nil, notFound("Thing %s does not exist.", name)
	}
	if err := checkVersion(name, t, in.ExpectedVersion); err != nil {
		return nil, err
	}
	next := &thing{ID: t.ID, Type: t.Type, Attributes: t.Attributes, Version: t.Version + 1}
	switch {
	case in.RemoveThingType && in.ThingTypeName != "":
		return nil, invalidRequest("A thing type can not be set and removed at once.")
	case in.RemoveThingType:
		next.Type = ""
	case in.ThingTypeName != "" && in.ThingTypeName != t.Type:
		if err := g.checkAssociation(in.ThingTypeName); err != nil {
			return nil, err
		}
		next.Type = in.ThingTypeName
	}
	if p := in.AttributePayload; p != nil {
		attributes := p.Attributes
		if p.Merge {
			attributes = maps.Clone(t.Attributes)
			maps.Copy(attributes, p.Attributes)
		}
		next.Attributes = withoutEmpty(attributes)
	}
	if err := checkThingAttributes(next.Attributes, next.Type != ""); err != nil {
		return nil, err
	}
	g.things[name] = next
	s.saveRegistry(c, next.saved(c.region, name))
	return nil, nil
}

// saveRegistry makes a change of the registry durable before c is answered. Whoever reads
// the registry waits for it too: what it saw must not be undone. The caller holds mu.
func (s *Service) saveRegistry(c *call, ch change) {
	g := &c.region.registry
	g.commit = s.journal.add(ch)
	c.commit = g.commit
}

func checkVersion(name string, t *thing, expected *int64) *apiError {
	if expected == nil || *expected == t.Version {
		return nil
	}
	return fail(http.StatusConflict, "VersionConflictException", "The version for thing %s does not match the expected version.", name)
}

func (s *Service) deleteThing(c *call) (any, *apiError) {
	name := c.path["thingName"]
	if err := checkThingName(name); err != nil {
		return nil, err
	}
	var expected *int64
	if text := c.query("expectedVersion"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, invalidRequest("expectedVersion must be a number.")
		}
		expected = &n
	}
	g := &c.region.registry
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.things[name]; t != nil {
		if err := checkVersion(name, t, expected); err != nil {
			return nil, err
		}
		delete(g.things, name)
		g.commit = s.journal.add(change{bucket: bucketThings, key: nameKey(c.region.name, name)})
	}
	c.commit = g.commit
	return nil, nil
}

func (s *Service) listThings(c *call) (any, *apiError) {
	n, err := iotPageSize(c, "maxResults", 250)
	if err != nil {
		return nil, err
	}
	typeName, attribute, value := c.query("thingTypeName"), c.query("attributeName"), c.query("attributeValue")
	prefix := c.query("usePrefixAttributeValue") == "true"

	g := &c.region.registry
	g.mu.RLock()
	defer g.mu.RUnlock()
	c.commit = g.commit
	var names []string
	for name, t := range g.things {
		if typeName != "" && t.Type != typeName {
			continue
		}
		if v, has := t.Attributes[attribute]; attribute != "" &&
			(!has || !prefix && v != value || prefix && !strings.HasPrefix(v, value)) {
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	names, next, ok := pageAfter(names, n, c.query("nextToken"))
	if !ok {
		return nil, invalidRequest("Invalid nextToken.")
	}
	things := make([]thingOut, len(names))
	for i, name := range names {
		things[i] = s.thingOut(c, name, g.things[name])
	}
	return struct {
		Things    []thingOut `json:"things"`
		NextToken string     `json:"nextToken,omitempty"`
	}{things, next}, nil
}

// iotPageSize returns the size of a page that the query asks for, most by default.
func iotPageSize(c *call, parameter string, most int) (int, *apiError) {
	text := c.query(parameter)
	if text == "" {
		return most, nil
	}
	var n int
	if err := json.Unmarshal([]byte(text), &n); err != nil || n < 1 || n > most {
		return 0, invalidRequest("%s must be between 1 and %d.", parameter, most)
	}
	return n, nil
}
