package lab

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"time"
)

// roleRegion is one region of a lab in a process, and a network, of its own, with the
// settings in regionVariable.
const (
	roleRegion     = "region"
	regionVariable = "TEST_REGION"
)

// Where a region has its AWS, its page and its way to both regions' AWS; nobody else is on
// its loopback.
var (
	regionAWS   = netip.MustParseAddrPort("127.0.0.1:4566")
	regionPage  = netip.MustParseAddrPort("127.0.0.1:8080")
	regionProxy = "127.0.0.1:3128"
)

// A regionConfig says which region a process is.
type regionConfig struct {
	Region      string
	CoAP        [4]netip.AddrPort // of all ingestors, in firmware order
	Other       string            // where the other region's AWS is, as AWS is: by TLS
	Certificate string            // file, see awsCertificate
}

// plan is the region's part of a lab. Its processes look for AWS under AWS's own names.
func (c *regionConfig) plan() Plan {
	p := NewPlan(c.CoAP, regionAWS, regionPage, 10*time.Second, 20*time.Second)
	p.Ingestors = slices.DeleteFunc(p.Ingestors, func(in Ingestor) bool { return in.Region != c.Region })
	p.Queues = slices.DeleteFunc(p.Queues, func(q Queue) bool { return q.Region != c.Region })
	p.Functions = slices.DeleteFunc(p.Functions, func(f Function) bool { return f.Region != c.Region })
	environ := []string{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true", "HTTPS_PROXY=http://" + regionProxy, "SSL_CERT_FILE=" + c.Certificate}
	for i := range p.Ingestors {
		p.Ingestors[i].environ = append(p.Ingestors[i].environ, environ...)
	}
	for i := range p.Functions {
		p.Functions[i].environ = append(p.Functions[i].environ, environ...)
	}
	return p
}

// serveRegion runs a region until its parent ends, and says ready when all of it is.
func serveRegion() {
	var c regionConfig
	check := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	check(json.Unmarshal([]byte(os.Getenv(regionVariable)), &c))

	certificate, err := tls.LoadX509KeyPair(c.Certificate, c.Certificate)
	check(err)
	front, err := tls.Listen("tcp", ":443", &tls.Config{Certificates: []tls.Certificate{certificate}})
	check(err)
	go func() {
		for {
			conn, err := front.Accept()
			check(err)
			go carry(conn, regionAWS.String())
		}
	}()

	way := newNetwork()
	for _, region := range []string{Primary, Secondary} {
		for _, host := range awsHosts(region) {
			way.hosts[host+":443"] = c.Other
			if region == c.Region {
				way.hosts[host+":443"] = "127.0.0.1:443"
			}
		}
	}
	proxy, err := net.Listen("tcp", regionProxy)
	check(err)
	go http.Serve(proxy, way)

	l, err := assemble(c.plan(), os.Stderr)
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	check(l.start(ctx))
	cancel()
	fmt.Println("ready")
	select {}
}

// carry carries a connection on to where it is served.
func carry(conn net.Conn, to string) {
	defer conn.Close()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		io.Copy(server, conn)
		server.Close()
	}()
	io.Copy(conn, server)
}
