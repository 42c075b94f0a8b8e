package local

import (
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
	Description          string   `json:"thingTypeDescription,omitempty"`
	SearchableAttributes []string `json:"searchableAttributes,omitempty"`
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
		return createThingTypeOut{name, arn, tt.ID}, nil
	}
	tt := &thingType{ID: newID(), Properties: in.Properties, Created: c.now}
	g.types[name] = tt
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
	g.mu.RUnlock()
	if tt == nil {
		return nil, notFound("Thing type %s does not exist.", name)
	}
	return s.thingTypeOut(c, name, tt), nil
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
