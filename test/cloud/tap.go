package cloud

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"coap-for-aws-iot/test/iam"
)

// A Tap is one process's way to the cloud: a proxy that ends its TLS, writes down what it
// asks for, and hands that on.
type Tap struct {
	// set once
	cloud  *Cloud
	outer  *httptest.Server // takes CONNECT
	inside chan net.Conn    // connections whose TLS ends here
	closed chan struct{}
	close  sync.Once

	mu     sync.Mutex // guards the following
	calls  []iam.Call // each once, in the order of their first time
	faults []error    // requests that AWS would not understand
}

// Tap returns a way into the cloud, which ends with the test.
func (c *Cloud) Tap(t *testing.T) *Tap {
	t.Helper()
	p := &Tap{cloud: c, inside: make(chan net.Conn), closed: make(chan struct{})}
	inner := &http.Server{Handler: http.HandlerFunc(p.serve)}
	p.outer = httptest.NewServer(http.HandlerFunc(p.connect))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		inner.Serve(p) // until Close
	}()
	t.Cleanup(func() {
		p.outer.Close()
		inner.Close()
		<-ended
	})
	return p
}

// Environ is what makes a process go this way. It has no endpoints: those are for the
// process to find.
func (p *Tap) Environ() []string {
	return []string{
		"HTTPS_PROXY=" + p.outer.URL,
		"SSL_CERT_FILE=" + p.cloud.certificate.file,
		"AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x",
		"AWS_EC2_METADATA_DISABLED=true",
	}
}

// Calls returns what has been asked for, each call once.
func (p *Tap) Calls() []iam.Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// Faults returns what AWS would not have understood: another region's queue asked for
// here, or a call that this package does not know.
func (p *Tap) Faults() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.faults)
}

// connect turns a CONNECT into a connection of the inner server.
func (p *Tap) connect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "without TLS", http.StatusForbidden)
		return
	}
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return // the client is gone
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		conn.Close()
		return
	}
	select {
	case p.inside <- tls.Server(conn, &tls.Config{GetCertificate: p.cloud.certificate.of}):
	case <-p.closed:
		conn.Close()
	}
}

// serve answers one request, as the service that it is for.
func (p *Tap) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	in, err := identify(r, body)
	p.note(in.call, err)
	switch {
	case err != nil:
		refuse(w, http.StatusForbidden, "AccessDeniedException", err.Error())
	case in.service == "logs":
		p.cloud.logs.serve(w, in, body)
	case in.operation == "DescribeEndpoint":
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"endpointAddress":"account-ats.iot.`+in.region+`.amazonaws.com"}`)
	default:
		r.Body = io.NopCloser(bytes.NewReader(body))
		p.cloud.Services.ServeHTTP(w, r)
	}
}

func (p *Tap) note(call iam.Call, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.faults = append(p.faults, err)
		return
	}
	same := func(c iam.Call) bool { return c.Action == call.Action && c.Resource == call.Resource }
	if !slices.ContainsFunc(p.calls, same) {
		p.calls = append(p.calls, call)
	}
}

// Accept waits for a connection inside. With Close and Addr it makes a Tap a net.Listener.
func (p *Tap) Accept() (net.Conn, error) {
	select {
	case conn := <-p.inside:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close lets nobody in any more.
func (p *Tap) Close() error {
	p.close.Do(func() { close(p.closed) })
	return nil
}

// Addr is where the proxy listens.
func (p *Tap) Addr() net.Addr { return p.outer.Listener.Addr() }
