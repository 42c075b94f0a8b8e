package infra

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"coap-for-aws-iot/src/lab"
	"coap-for-aws-iot/src/local"
)

// TestRegionFailover takes either region away under a fleet that holds the addresses which
// Terraform has put out. The data path is the lab: what moto holds of queues and things
// does not behave.
func TestRegionFailover(t *testing.T) {
	stack := applied(t)
	for _, region := range []string{primary, secondary} {
		t.Run(region, func(t *testing.T) {
			failOver(t, labSite(t, endpoints(t, stack.root(t, region))), region, 24)
		})
	}
}

// labSite starts a lab in which each ingestor stands for the address of its name.
func labSite(t *testing.T, rendered []endpoint) site {
	t.Helper()
	var coap []netip.AddrPort
	for range 4 {
		coap = append(coap, netip.MustParseAddrPort(freeUDP(t)))
	}
	l, err := lab.Start(t.Context(), lab.Options{CoAP: coap, AWS: freeTCP(t), HTTP: freeTCP(t), Log: logWriter{t}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	at := map[string]netip.AddrPort{}
	for _, in := range l.Plan().Ingestors {
		at[in.Name] = in.CoAP
	}
	s := site{healthy: 5 * time.Second, without: 20 * time.Second, healed: 10 * time.Second}
	there := map[netip.AddrPort]netip.AddrPort{}
	for _, e := range rendered {
		address := netip.AddrPortFrom(netip.MustParseAddr(e.Address), 5683)
		if !at[e.Name].IsValid() {
			t.Fatalf("the lab has no ingestor %s", e.Name)
		}
		there[address] = at[e.Name]
		s.addresses = append(s.addresses, address)
	}
	s.open = translate(there)
	s.down = func(ctx context.Context, region string) (func(context.Context) error, error) {
		return labDown(ctx, l, region)
	}
	s.reported = func(ctx context.Context, wanted []string) (map[string]json.RawMessage, error) {
		all := map[string]json.RawMessage{}
		for token := ""; ; {
			things, next, err := lab.Things(ctx, l.Config(lab.Primary), 250, token)
			if err != nil {
				return nil, err
			}
			for _, thing := range things {
				if slices.Contains(wanted, thing.Name) && thing.Version > 0 {
					all[thing.Name] = thing.Reported
				}
			}
			if token = next; token == "" {
				return all, nil
			}
		}
	}
	return s
}

// labDown takes all of a region that the lab has: its services, its ingestors, its function.
func labDown(ctx context.Context, l *lab.Lab, region string) (up func(context.Context) error, err error) {
	controls := l.Plan().Endpoint() + "/_lab/faults"
	if err := control(ctx, http.MethodPost, controls, local.Fault{Region: region, Kind: local.Dead}); err != nil {
		return nil, err
	}
	var down []string
	for _, in := range l.Plan().Ingestors {
		if in.Region == region {
			down = append(down, in.Name)
			if err := l.Stop(ctx, in.Name); err != nil {
				return nil, err
			}
		}
	}
	return func(ctx context.Context) error {
		if err := control(ctx, http.MethodDelete, controls, nil); err != nil {
			return err
		}
		for _, name := range down {
			if err := l.Restart(ctx, name); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// control asks the lab's AWS to break or to heal.
func control(ctx context.Context, method, url string, in any) error {
	text, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(text))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s", method, url, response.Status)
	}
	return nil
}

func freeTCP(t *testing.T) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return netip.MustParseAddrPort(listener.Addr().String())
}

// logWriter is the test's log.
type logWriter struct{ t *testing.T }

func (w logWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSuffix(string(b), "\n"))
	return len(b), nil
}
