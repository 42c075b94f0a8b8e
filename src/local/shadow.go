package local

import (
	"hash/maphash"
	"net/http"
	"slices"
	"sync"
	"time"
)

// shadowShards is how many locks the shadows of a region share.
const shadowShards = 64

// versionMemory is for how long the version of a deleted shadow goes on (AWS IoT developer
// guide, "Interacting with shadows": within the past 48 hours).
const versionMemory = 48 * time.Hour

type shadowKey struct{ thing, name string } // name is empty for the classic shadow

// A shadowSet is the shadows of one region.
type shadowSet struct {
	seed  maphash.Seed
	shard [shadowShards]shadowShard
}

type shadowShard struct {
	mu sync.Mutex // guards the following
	of map[shadowKey]*shadow
}

func newShadowSet() *shadowSet {
	set := &shadowSet{seed: maphash.MakeSeed()}
	for i := range set.shard {
		set.shard[i].of = make(map[shadowKey]*shadow)
	}
	return set
}

// of returns the shard that holds all shadows of a thing.
func (set *shadowSet) of(thing string) *shadowShard {
	return &set.shard[maphash.String(set.seed, thing)%shadowShards]
}

// shadowCall checks the names that a call to a shadow gives.
func shadowCall(c *call) (shadowKey, *apiError) {
	k := shadowKey{thing: c.path["thingName"]}
	if !validName(k.thing, 128, nameExtra) {
		return k, invalidRequest("Invalid thing name")
	}
	if q := c.request.URL.Query(); q.Has("name") {
		k.name = q.Get("name")
		if !validName(k.name, 64, "$:-") {
			return k, invalidRequest("Invalid shadow name")
		}
	}
	return k, nil
}

func noShadow(k shadowKey) *apiError {
	if k.name == "" {
		return notFound("No shadow exists with name: '%s'", k.thing)
	}
	return notFound("No shadow exists with name: '%s~%s'", k.thing, k.name)
}

func (s *Service) getThingShadow(c *call) (any, *apiError) {
	k, err := shadowCall(c)
	if err != nil {
		return nil, err
	}
	shard := c.region.shadows.of(k.thing)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	sh := shard.of[k]
	if sh == nil || sh.deleted() {
		return nil, noShadow(k)
	}
	c.commit = sh.commit
	return sh.document(c.now), nil
}

func (s *Service) updateThingShadow(c *call) (any, *apiError) {
	k, err := shadowCall(c)
	if err != nil {
		return nil, err
	}
	u, err := parseShadowUpdate(c.body)
	if err != nil {
		return nil, err
	}
	shard := c.region.shadows.of(k.thing)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	next, err := shard.of[k].update(u, c.now)
	if err != nil {
		return nil, err
	}
	s.saveShadow(c, shard, k, next)
	if s.updated != nil && k.name == "" {
		s.updated(k.thing, c.body)
	}
	return u.accepted(next, c.now), nil
}

// saveShadow puts a new shadow in its place and makes it durable before c is answered. The
// caller holds shard.mu.
func (s *Service) saveShadow(c *call, shard *shadowShard, k shadowKey, next *shadow) {
	if s.journal != nil {
		next.commit = s.journal.add(next.saved(c.region, k))
		c.commit = next.commit
	}
	shard.of[k] = next
}

func (s *Service) deleteThingShadow(c *call) (any, *apiError) {
	k, err := shadowCall(c)
	if err != nil {
		return nil, err
	}
	shard := c.region.shadows.of(k.thing)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	sh := shard.of[k]
	if sh == nil || sh.deleted() {
		return nil, noShadow(k)
	}
	gone := &shadow{version: sh.version + 1, deletedAt: c.now}
	s.saveShadow(c, shard, k, gone)
	return struct {
		Version   int64 `json:"version"`
		Timestamp int64 `json:"timestamp"`
	}{gone.version, c.now.Unix()}, nil
}

func (s *Service) listNamedShadows(c *call) (any, *apiError) {
	thing := c.path["thingName"]
	if !validName(thing, 128, nameExtra) {
		return nil, invalidRequest("Invalid thing name")
	}
	n, err := iotPageSize(c, "pageSize", 100)
	if err != nil {
		return nil, err
	}
	shard := c.region.shadows.of(thing)
	shard.mu.Lock()
	names := []string{}
	for k, sh := range shard.of {
		if k.thing == thing && k.name != "" && !sh.deleted() {
			names = append(names, k.name)
		}
	}
	shard.mu.Unlock()
	slices.Sort(names)
	names, next, ok := pageAfter(names, n, c.query("nextToken"))
	if !ok {
		return nil, invalidRequest("Invalid nextToken")
	}
	return struct {
		Results   []string `json:"results"`
		NextToken string   `json:"nextToken,omitempty"`
		Timestamp int64    `json:"timestamp"`
	}{names, next, c.now.Unix()}, nil
}

func versionConflict() *apiError {
	return fail(http.StatusConflict, "ConflictException", "Version conflict")
}
