package local

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"time"
)

// A thingType is an entry of the registry. It does not change: an update replaces it.
type thingType struct {
	ID              string               `json:"thingTypeId"`
	Properties      *thingTypeProperties `json:"properties,omitempty"`
	Created         time.Time            `json:"created"`
	Deprecated      bool                 `json:"deprecated"`
	DeprecationDate time.Time            `json:"deprecationDate"`
}

type thingTypeProperties struct {
	Description          string          `json:"thingTypeDescription,omitempty"`
	SearchableAttributes []string        `json:"searchableAttributes,omitempty"`
	MQTT5                json.RawMessage `json:"mqtt5Configuration,omitempty"` // refused
}

// maxSearchable is how many searchable attributes a type may have (AWS IoT endpoints and quotas).
const maxSearchable = 3

func checkThingTypeName(name string) *apiError {
	if !validName(name, 128, nameExtra) {
		return invalidRequest("1 validation error detected: Value '%s' at 'thingTypeName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9:_-]+ and have length less than or equal to 128", name)
	}
	return nil
}

func (p *thingTypeProperties) check() *apiError {
	if p == nil {
		return nil
	}
	if p.MQTT5 != nil {
		return invalidRequest("mqtt5Configuration is not supported here.")
	}
	if len(p.Description) > 2028 {
		return invalidRequest("thingTypeDescription has more than 2028 characters.")
	}
	for i := range len(p.Description) {
		if c := p.Description[i]; c < ' ' || c > '~' {
			return invalidRequest("thingTypeDescription has characters that can not be printed.")
		}
	}
	if len(p.SearchableAttributes) > maxSearchable {
		return invalidRequest("A thing type can have at most %d searchable attributes.", maxSearchable)
	}
	for _, a := range p.SearchableAttributes {
		if !validName(a, 128, ".,@/:#-") {
			return invalidRequest("Searchable attribute '%s' must satisfy [a-zA-Z0-9_.,@/:#-]+ and have at most 128 characters.", a)
		}
	}
	return nil
}

// same compares two configurations; the order of searchable attributes has no meaning.
func (p *thingTypeProperties) same(q *thingTypeProperties) bool {
	normal := func(p *thingTypeProperties) thingTypeProperties {
		if p == nil {
			return thingTypeProperties{}
		}
		n := thingTypeProperties{Description: p.Description}
		n.SearchableAttributes = append(n.SearchableAttributes, p.SearchableAttributes...)
		slices.Sort(n.SearchableAttributes)
		return n
	}
	return reflect.DeepEqual(normal(p), normal(q))
}

type createThingTypeIn struct {
	Properties *thingTypeProperties `json:"thingTypeProperties"`
	Tags       []json.RawMessage    `json:"tags"` // refused
}

type createThingTypeOut struct {
	Name string `json:"thingTypeName"`
	ARN  string `json:"thingTypeArn"`
	ID   string `json:"thingTypeId"`
}

func (s *Service) createThingType(c *call, in *createThingTypeIn) (any, *apiError) {
	name := c.path["thingTypeName"]
	if err := checkThingTypeName(name); err != nil {
		return nil, err
	}
	if err := in.Properties.check(); err != nil {
		return nil, err
	}
	if len(in.Tags) > 0 {
		return nil, invalidRequest("Tags of thing types are not supported here.")
	}
	arn := s.iotARN(c, "thingtype", name)
	g := &c.region.registry
	g.mu.Lock()
	defer g.mu.Unlock()
	if tt := g.types[name]; tt != nil {
		if !tt.Properties.same(in.Properties) {
			return nil, &apiError{
				name:        "ResourceAlreadyExistsException",
				status:      http.StatusConflict,
				message:     "ThingType " + name + " already exists in account with different properties",
				resourceID:  name,
				resourceARN: arn,
			}
		}
		c.commit = g.commit
		return createThingTypeOut{name, arn, tt.ID}, nil
	}
	tt := &thingType{ID: newID(), Properties: in.Properties, Created: c.now}
	g.types[name] = tt
	s.saveRegistry(c, tt.saved(c.region, name))
	return createThingTypeOut{name, arn, tt.ID}, nil
}

// thingTypeOut is a type as DescribeThingType and ListThingTypes show it.
type thingTypeOut struct {
	Name       string               `json:"thingTypeName"`
	ID         string               `json:"thingTypeId,omitempty"`
	ARN        string               `json:"thingTypeArn"`
	Properties *thingTypeProperties `json:"thingTypeProperties"`
	Metadata   thingTypeMetadata    `json:"thingTypeMetadata"`
}

// thingTypeMetadata has its dates in seconds since 1970.
type thingTypeMetadata struct {
	Deprecated      bool     `json:"deprecated"`
	DeprecationDate *float64 `json:"deprecationDate,omitempty"`
	CreationDate    float64  `json:"creationDate"`
}

func (s *Service) thingTypeOut(c *call, name string, tt *thingType) thingTypeOut {
	out := thingTypeOut{
		Name:       name,
		ID:         tt.ID,
		ARN:        s.iotARN(c, "thingtype", name),
		Properties: tt.Properties,
		Metadata:   thingTypeMetadata{Deprecated: tt.Deprecated, CreationDate: epoch(tt.Created)},
	}
	if out.Properties == nil {
		out.Properties = &thingTypeProperties{}
	}
	if tt.Deprecated {
		at := epoch(tt.DeprecationDate)
		out.Metadata.DeprecationDate = &at
	}
	return out
}

func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (s *Service) describeThingType(c *call) (any, *apiError) {
	name := c.path["thingTypeName"]
	if err := checkThingTypeName(name); err != nil {
		return nil, err
	}
	g := &c.region.registry
	g.mu.RLock()
	tt := g.types[name]
	c.commit = g.commit
	g.mu.RUnlock()
	if tt == nil {
		return nil, notFound("Thing type %s does not exist.", name)
	}
	return s.thingTypeOut(c, name, tt), nil
}

// restBeforeDelete is for how long a type must have been deprecated to be deleted (AWS IoT
// developer guide, "Delete a thing type").
const restBeforeDelete = 5 * time.Minute

type deprecateThingTypeIn struct {
	Undo bool `json:"undoDeprecate"`
}

// withType calls do with the type that a call names and the registry locked, and keeps
// what it returns in its place; nil deletes the type.
func (s *Service) withType(c *call, do func(name string, tt *thingType) (*thingType, *apiError)) *apiError {
	name := c.path["thingTypeName"]
	if err := checkThingTypeName(name); err != nil {
		return err
	}
	g := &c.region.registry
	g.mu.Lock()
	defer g.mu.Unlock()
	tt := g.types[name]
	if tt == nil {
		return notFound("Thing type %s does not exist.", name)
	}
	next, err := do(name, tt)
	if err != nil {
		return err
	}
	if next == nil {
		delete(g.types, name)
		s.saveRegistry(c, change{bucket: bucketTypes, key: nameKey(c.region.name, name)})
		return nil
	}
	g.types[name] = next
	s.saveRegistry(c, next.saved(c.region, name))
	return nil
}

func (s *Service) deprecateThingType(c *call, in *deprecateThingTypeIn) (any, *apiError) {
	return nil, s.withType(c, func(_ string, tt *thingType) (*thingType, *apiError) {
		next := *tt
		switch {
		case in.Undo:
			next.Deprecated, next.DeprecationDate = false, time.Time{}
		case !tt.Deprecated: // a second time does not begin the wait anew
			next.Deprecated, next.DeprecationDate = true, c.now
		}
		return &next, nil
	})
}

type updateThingTypeIn struct {
	Properties *thingTypeProperties `json:"thingTypeProperties"`
}

func (s *Service) updateThingType(c *call, in *updateThingTypeIn) (any, *apiError) {
	if err := in.Properties.check(); err != nil {
		return nil, err
	}
	return nil, s.withType(c, func(_ string, tt *thingType) (*thingType, *apiError) {
		next := *tt
		next.Properties = in.Properties
		return &next, nil
	})
}

func (s *Service) deleteThingType(c *call) (any, *apiError) {
	return nil, s.withType(c, func(name string, tt *thingType) (*thingType, *apiError) {
		if !tt.Deprecated {
			return nil, invalidRequest("Cannot delete thing type %s: it must be deprecated first.", name)
		}
		if c.now.Sub(tt.DeprecationDate) < restBeforeDelete {
			return nil, invalidRequest("Cannot delete thing type %s: please wait for 5 minutes after deprecation and then retry.", name)
		}
		for thingName, t := range c.region.registry.things {
			if t.Type == name {
				return nil, invalidRequest("Cannot delete thing type %s: thing %s is associated with it.", name, thingName)
			}
		}
		return nil, nil
	})
}

func (s *Service) listThingTypes(c *call) (any, *apiError) {
	n, err := iotPageSize(c, "maxResults", 250)
	if err != nil {
		return nil, err
	}
	only := c.query("thingTypeName")
	g := &c.region.registry
	g.mu.RLock()
	defer g.mu.RUnlock()
	c.commit = g.commit
	var names []string
	for name := range g.types {
		if only == "" || name == only {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names, next, ok := pageAfter(names, n, c.query("nextToken"))
	if !ok {
		return nil, invalidRequest("Invalid nextToken.")
	}
	types := make([]thingTypeOut, len(names))
	for i, name := range names {
		types[i] = s.thingTypeOut(c, name, g.types[name])
		types[i].ID = "" // AWS lists types without it
	}
	return struct {
		Types     []thingTypeOut `json:"thingTypes"`
		NextToken string         `json:"nextToken,omitempty"`
	}{types, next}, nil
}
