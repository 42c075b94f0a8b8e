package local

import (
	"io"
	"net/http"
	"strings"
	"time"
)

// maxRequest bounds a request body: a batch of 1 MiB of messages, each byte of which JSON
// may write as six (\u0000), and room for its frame.
const maxRequest = 6<<20 + 64<<10

// A call is one request to one operation of one service in one region.
type call struct {
	service   string // "sqs", "iot" or "iot-data"
	operation string // as AWS names it
	region    *region
	body      []byte
	request   *http.Request
	path      map[string]string // the labels of the path, unescaped; nil for SQS
	now       time.Time         // when the operation takes effect
	commit    *commit           // what must be durable before the answer
	spoil     func() *apiError  // what a fault does to each entry of a batch; nil: nothing
}

// An operation is what a call asks for, ready to be done: it returns what goes out as JSON.
type operation func() (any, *apiError)

// answer does what a call asks for, unless a quota or a fault is against it.
func (s *Service) answer(c *call, op operation) (any, *apiError) {
	if err := s.journal.failed(); err != nil {
		return nil, internalFailure(c, err)
	}
	if err := s.quotas.check(c, s.now(c.region)); err != nil {
		return nil, err
	}
	before, after := s.faults.hit(c, s.now(c.region))
	if _, err := s.strike(c, before, nil); err != nil {
		return nil, err
	}
	c.now = s.now(c.region)
	out, err := op()
	if err != nil {
		return nil, err
	}
	if err := c.commit.wait(); err != nil {
		return nil, internalFailure(c, err)
	}
	return s.strike(c, after, out)
}

// now is the time in a region.
func (s *Service) now(g *region) time.Time {
	return s.clock().Add(time.Duration(g.skew.Load()))
}

// ServeHTTP answers one AWS call. It needs no server: a test may call it directly.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, labPath) {
		s.lab.ServeHTTP(w, r)
		return
	}
	body, err := readBody(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	if _, ok := r.Header["X-Amz-Target"]; ok {
		s.serveSQS(w, r, body)
		return
	}
	s.serveIoT(w, r, body)
}

// hostOf returns who the request asks. A request that comes straight from a client's
// RoundTripper has it in its URL only.
func hostOf(r *http.Request) string {
	if r.Host != "" {
		return r.Host
	}
	return r.URL.Host
}

// readBody reads the whole request; its buffer is the caller's.
func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body := http.MaxBytesReader(nil, r.Body, maxRequest)
	if n := r.ContentLength; n > 0 && n <= maxRequest {
		buf := make([]byte, n)
		_, err := io.ReadFull(body, buf)
		return buf, err
	}
	return io.ReadAll(body)
}

// signedRegion returns the region of the credential scope that a request was signed for
// (Signature Version 4: "Credential=KEY/DATE/REGION/SERVICE/aws4_request"). Any key and any
// signature will do.
func signedRegion(r *http.Request) (string, *apiError) {
	scope := r.Header.Get("Authorization")
	if _, rest, found := strings.Cut(scope, "Credential="); found {
		scope, _, _ = strings.Cut(rest, ",")
	} else {
		scope = r.URL.Query().Get("X-Amz-Credential") // a presigned request
	}
	part := strings.Split(scope, "/")
	if len(part) < 5 || part[len(part)-1] != "aws4_request" {
		return "", fail(http.StatusForbidden, "MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	region := part[len(part)-3]
	if !validRegion(region) {
		return "", fail(http.StatusForbidden, "InvalidSignatureException", "Credential should be scoped to a valid region.")
	}
	return region, nil
}

// validRegion tells whether a name may be that of a region. Which exist is not checked.
func validRegion(name string) bool { return validName(name, 32, "-") }
