package lab

import (
	"context"
	_ "embed"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

//go:embed page.html
var pageHTML []byte

// A page serves the lab's page: a view of it, renewed once a second while someone looks.
type page struct {
	// set once
	lab    *Lab
	server http.Server

	looked atomic.Int64 // when a view was asked for, in Unix ms

	mu   sync.Mutex // guards the following
	view []byte     // JSON

	renewing sync.Mutex // held while a view is made; guards the following
	recent   []Thing    // newest first
	token    string     // of the page of things that is looked at next
}

// view is what the page polls.
type view struct {
	Stats  Stats   `json:"stats"`
	Things []Thing `json:"things"` // those that changed last
}

const (
	viewEvery = time.Second
	watched   = 5 * time.Second // after a view was asked for, somebody looks
	// Things looked at in a second: a lab with more is looked at in rounds, so that the
	// page costs the machine little.
	thingsARound = 50
	recentThings = 8
)

func newPage(l *Lab) *page {
	p := &page{lab: l, view: []byte("null")}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(pageHTML)
	})
	mux.HandleFunc("GET /plan.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(l.plan)
	})
	mux.HandleFunc("GET /stats.json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.Write(p.current(r.Context()))
	})
	p.server = http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	return p
}

// run serves until ctx is done.
func (p *page) run(ctx context.Context, listener net.Listener) {
	var serving sync.WaitGroup
	serving.Go(func() { p.server.Serve(listener) })
	for ctx.Err() == nil {
		if time.Since(time.UnixMilli(p.looked.Load())) < watched {
			p.renew(ctx)
		}
		pause(ctx, viewEvery)
	}
	p.server.Close()
	serving.Wait()
}

// current returns the view, made now for the first who looks after a while.
func (p *page) current(ctx context.Context) []byte {
	last := time.UnixMilli(p.looked.Swap(time.Now().UnixMilli()))
	if time.Since(last) > watched {
		p.renew(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.view
}

// renew makes the view.
func (p *page) renew(ctx context.Context) {
	p.renewing.Lock()
	defer p.renewing.Unlock()
	var v view
	var asking sync.WaitGroup
	asking.Go(func() { v.Stats = p.lab.Stats(ctx) })
	v.Things = p.lookAtThings(ctx)
	asking.Wait()
	text, err := json.Marshal(v)
	if err != nil {
		return // a shadow that is no JSON: the last view stays
	}
	p.mu.Lock()
	p.view = text
	p.mu.Unlock()
}

// lookAtThings looks at the next round of things and returns those, of all that have been
// looked at, that changed last. p.renewing is held.
func (p *page) lookAtThings(ctx context.Context) []Thing {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	things, next, err := Things(ctx, p.lab.Config(Primary), thingsARound, p.token)
	if err != nil {
		p.token = "" // the local AWS is down or was started again
		return p.recent
	}
	if p.token == "" && next == "" {
		p.recent = nil // all there is: what is not in it is gone
	}
	p.token = next
	fresh := map[string]bool{}
	for _, t := range things {
		fresh[t.Name] = true
	}
	for _, t := range p.recent {
		if !fresh[t.Name] {
			things = append(things, t)
		}
	}
	slices.SortStableFunc(things, func(a, b Thing) int { return b.Changed.Compare(a.Changed) })
	p.recent = things[:min(len(things), recentThings)]
	return p.recent
}
