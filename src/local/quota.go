package local

import (
	"sync"
	"time"
)

// Quotas are how many calls a second an account has in a region. Zero means no limit.
type Quotas struct {
	ShadowCalls         int `json:"shadowCalls"`         // Get, Update and DeleteThingShadow
	ShadowCallsPerThing int `json:"shadowCallsPerThing"` // the same, of one thing
	CreateThing         int `json:"createThing"`
	CreateThingType     int `json:"createThingType"`
}

// DefaultQuotas are those of an account in a large region (AWS IoT Core endpoints and quotas).
func DefaultQuotas() Quotas {
	return Quotas{ShadowCalls: 4000, ShadowCallsPerThing: 20, CreateThing: 100, CreateThingType: 15}
}

// SetQuotas sets what all regions are held to from now on; the zero value, as at the start,
// is nothing.
func (s *Service) SetQuotas(q Quotas) {
	s.quotas.mu.Lock()
	defer s.quotas.mu.Unlock()
	s.quotas.limits = q
	s.quotas.used = nil
}

// Quotas returns what SetQuotas set.
func (s *Service) Quotas() Quotas {
	s.quotas.mu.RLock()
	defer s.quotas.mu.RUnlock()
	return s.quotas.limits
}

// A quotaSet counts calls by the second: AWS does not say how it measures a rate.
type quotaSet struct {
	mu     sync.RWMutex // guards the following
	limits Quotas
	used   map[string]*usage // by region
}

// usage is what one region has used of its quotas in one second. It is forgotten with the
// second, so its things are at most the calls of a second.
type usage struct {
	second                               int64
	shadowCalls, createThing, createType int
	byThing                              map[string]int
}

// check counts a call against the quotas and refuses it if one is used up.
func (set *quotaSet) check(c *call, now time.Time) *apiError {
	set.mu.RLock()
	none := set.limits == Quotas{}
	set.mu.RUnlock()
	if none {
		return nil
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	u := set.used[c.region.name]
	if u == nil || u.second != now.Unix() {
		if set.used == nil {
			set.used = make(map[string]*usage)
		}
		u = &usage{second: now.Unix(), byThing: make(map[string]int)}
		set.used[c.region.name] = u
	}
	ok := true
	take := func(used *int, limit int) {
		if limit > 0 && *used >= limit {
			ok = false
			return
		}
		*used++
	}
	switch c.operation {
	case "GetThingShadow", "UpdateThingShadow", "DeleteThingShadow":
		thing := c.path["thingName"]
		n := u.byThing[thing]
		if take(&n, set.limits.ShadowCallsPerThing); ok {
			u.byThing[thing] = n
			take(&u.shadowCalls, set.limits.ShadowCalls)
		}
	case "CreateThing":
		take(&u.createThing, set.limits.CreateThing)
	case "CreateThingType":
		take(&u.createType, set.limits.CreateThingType)
	}
	if !ok {
		return throttled(c)
	}
	return nil
}
