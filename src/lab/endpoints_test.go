package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"coap-for-aws-iot/src/local"
)

// awsHosts are the names under which the SDK looks for what this product uses of AWS.
func awsHosts(region string) []string {
	return []string{"sqs." + region + ".amazonaws.com", "iot." + region + ".amazonaws.com", "data-ats.iot." + region + ".amazonaws.com"}
}

// awsURL is a queue's URL as AWS gives it.
func awsURL(region, queue string) string {
	return "https://sqs." + region + ".amazonaws.com/" + account + "/" + queue
}

// awsCertificate makes a certificate for awsHosts in both regions, and a file of it and its
// key. A process that has the file as its SSL_CERT_FILE believes it.
func awsCertificate(t *testing.T) (certificate tls.Certificate, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the lab's AWS"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: append(awsHosts(Primary), awsHosts(Secondary)...),
		IsCA:     true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	file = filepath.Join(t.TempDir(), "aws.pem")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// A network is the way from one process to the AWS of two regions, a proxy that the SDK
// of that process is told to use.
type network struct {
	mu    sync.Mutex            // guards the following
	hosts map[string]string     // by host and port, where it is
	lost  map[string]bool       // hosts to which nothing gets through
	open  map[net.Conn]struct{} // to be cut by losing
}

func newNetwork() *network {
	return &network{hosts: map[string]string{}, lost: map[string]bool{}, open: map[net.Conn]struct{}{}}
}

// ServeHTTP serves CONNECT.
func (n *network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	to, lost := n.hosts[r.Host], n.lost[r.Host]
	n.mu.Unlock()
	if lost {
		<-r.Context().Done() // as in a partition: no answer
		return
	}
	server, err := new(net.Dialer).DialContext(r.Context(), "tcp", to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, _, err := http.NewResponseController(w).Hijack() // before the answer, which calls for more
	if err != nil {
		return
	}
	defer client.Close()
	io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	n.mu.Lock()
	n.open[client] = struct{}{}
	n.mu.Unlock()
	go func() {
		io.Copy(server, client)
		server.Close() // else it would wait for the rest of a request that was cut off
	}()
	io.Copy(client, server)
}

// lose cuts the way to a host, connections that are open included, or brings it back.
func (n *network) lose(host string, lost bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost[host] = lost
	for conn := range n.open {
		conn.Close()
		delete(n.open, conn)
	}
}

// A cloud is two regions, each with an AWS of its own.
type cloud struct {
	network  *network
	services map[string]*local.Service // by the region in which they stand
}

// newCloud makes a cloud and the environment of a process that finds it where AWS is.
// Each AWS has queues of the same names in both regions, so that a call with the wrong
// signature, or to the wrong host, would not fail.
func newCloud(t *testing.T) (*cloud, []string) {
	t.Helper()
	certificate, file := awsCertificate(t)
	c := &cloud{
		network:  newNetwork(),
		services: map[string]*local.Service{},
	}
	for _, region := range []string{Primary, Secondary} {
		service := local.New(local.Options{})
		server := httptest.NewUnstartedServer(service)
		server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
		server.StartTLS()
		t.Cleanup(func() { service.Close(); server.Close() })
		c.services[region] = service
		for _, host := range awsHosts(region) {
			c.network.hosts[host+":443"] = server.Listener.Addr().String()
		}
		for _, signed := range []string{Primary, Secondary} {
			if _, err := c.client(region, signed).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(reportsQueue)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	proxy := httptest.NewServer(c.network)
	t.Cleanup(proxy.Close)
	return c, []string{
		"HTTPS_PROXY=" + proxy.URL, "SSL_CERT_FILE=" + file,
		"AWS_ACCESS_KEY_ID=lab", "AWS_SECRET_ACCESS_KEY=lab", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	}
}

// client reaches the AWS that stands in at, and signs for signed.
func (c *cloud) client(at, signed string) *sqs.Client {
	return sqs.NewFromConfig(aws.Config{
		Region: signed, BaseEndpoint: aws.String("http://aws.invalid"), HTTPClient: &http.Client{Transport: c.services[at].Transport()},
		Credentials: credentials.NewStaticCredentialsProvider("x", "x", ""),
	})
}

// holds returns which reports lie where: by the region of the AWS, and of the queue in it.
func (c *cloud) holds(t *testing.T) map[string][]held {
	t.Helper()
	all := map[string][]held{}
	for _, at := range []string{Primary, Secondary} {
		for _, signed := range []string{Primary, Secondary} {
			if reports := drain(t, c.client(at, signed), awsURL(signed, reportsQueue)); len(reports) > 0 {
				all[at+" "+signed] = reports
			}
		}
	}
	return all
}

// The daemon as it runs in the cloud, with an AWS endpoint of each region under its own
// name: whatever is wrong with its own, what it acknowledges lies in the other one's
// queue, signed for that region, and nowhere else.
func TestTwoEndpoints(t *testing.T) {
	c, environ := newCloud(t)
	coap, _, _ := testEndpoints(t)
	var log syncBuffer
	daemon, err := startProcess(roleIngestor, append(environ,
		"AWS_REGION="+Primary, "COAP_NAME=use1-a", "COAP_LISTEN="+coap[0].String(), "COAP_ADMIN="+admin(coap[0]).String(),
		"COAP_QUEUE_URL="+awsURL(Primary, reportsQueue), "COAP_FALLBACK_QUEUE_URL="+awsURL(Secondary, reportsQueue),
	), func(line []byte) { fmt.Fprintf(&log, "%s\n", line) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		daemon.stop(drainLimit)
		if t.Failed() {
			t.Logf("its log:\n%s", &log)
		}
	})
	eventually(t, startLimit, func() error { return checkHealth(t.Context(), http.DefaultClient, admin(coap[0])) })

	sqsHost := awsHosts(Primary)[0] + ":443"
	fault := func(kind string) func(bool) {
		return func(on bool) {
			if !on {
				c.services[Primary].RemoveFault("")
			} else if _, err := c.services[Primary].AddFault(local.Fault{Service: "sqs", Kind: kind}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name   string
		change func(on bool)
	}{
		{"dead", fault(local.Dead)},
		{"hangs", fault(local.Hang)},
		{"says an error", fault(local.Error)},
		{"out of reach", func(on bool) { c.network.lose(sqsHost, on) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.change(true)
			var want []held
			for i := range 4 {
				id := fmt.Sprint("d", i)
				persist(t, coap[0], "/th/"+id, `{"n":1}`)
				want = append(want, held{id, "use1-a", Primary})
			}
			tt.change(false)
			if got := c.holds(t); len(got) != 1 || !slices.Equal(got[Secondary+" "+Secondary], want) {
				t.Errorf("by AWS and region %v, want %v in the second alone", got, want)
			}
			// With the last probe's second over, its own queue is used again, and no other.
			eventually(t, 20*time.Second, func() error {
				persist(t, coap[0], "/th/after", `{"n":1}`)
				if got := c.holds(t); len(got) != 1 || len(got[Primary+" "+Primary]) != 1 {
					return fmt.Errorf("by AWS and region %v, want a report in the first alone", got)
				}
				return nil
			})
		})
	}
}
