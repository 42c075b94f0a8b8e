package stand

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Regions is moto behind a proxy that knows regions: one that is down drops all
// connections.
type Regions struct {
	URL string // for AWS_ENDPOINT_URL

	mu    sync.Mutex // guards the following
	down  map[string]bool
	asked map[string]int // calls that a region which is down was asked for: "eu-west-1 sqs"
}

// global are the services that have one endpoint for all regions, and sign for us-east-1
// whichever region is meant. AWS promises their data planes in all regions, not that a
// role can be made while us-east-1 is down (AWS Fault Isolation Boundaries, "Global
// services").
var global = []string{"iam", "sts"}

// NewRegions starts the proxy. It ends with the test.
func NewRegions(t testing.TB, moto *Moto) *Regions {
	t.Helper()
	target, err := url.Parse(moto.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := &Regions{down: map[string]bool{}, asked: map[string]int{}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Host = p.In.Host // moto finds buckets by it
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		if r.refuses(in) {
			panic(http.ErrAbortHandler) // drops the connection
		}
		proxy.ServeHTTP(w, in)
	}))
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

// Down makes exactly these regions dead, and forgets what dead ones were asked for.
func (r *Regions) Down(regions ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.down)
	clear(r.asked)
	for _, name := range regions {
		r.down[name] = true
	}
}

// Asked lists what dead regions were asked for, sorted.
func (r *Regions) Asked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var asked []string
	for _, what := range slices.Sorted(maps.Keys(r.asked)) {
		asked = append(asked, fmt.Sprintf("%s, %d times", what, r.asked[what]))
	}
	return asked
}

// refuses reports whether the region that a request was signed for is down (Signature
// Version 4: "Credential=KEY/DATE/REGION/SERVICE/aws4_request").
func (r *Regions) refuses(in *http.Request) bool {
	_, rest, _ := strings.Cut(in.Header.Get("Authorization"), "Credential=")
	part := strings.Split(rest, "/")
	if len(part) < 5 || slices.Contains(global, part[3]) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.down[part[2]] {
		return false
	}
	r.asked[part[2]+" "+part[3]]++
	return true
}
