package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/local"
)

// breakAWS adds a fault to the lab's AWS until heal is called.
func breakAWS(t *testing.T, l *Lab, f local.Fault) (heal func()) {
	t.Helper()
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	controls := func(method string, body []byte, want int) {
		t.Helper()
		request, err := http.NewRequest(method, l.plan.Endpoint()+"/_lab/faults", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := l.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Fatalf("%s of a fault: %s", method, response.Status)
		}
	}
	controls(http.MethodPost, text, http.StatusCreated)
	return func() { controls(http.MethodDelete, nil, http.StatusNoContent) }
}

// A held is a report that lies in a queue.
type held struct{ id, ingestor, region string }

// drain takes all that is visible in a queue and returns its reports, each once: a device
// that had to say it twice may have said it to a queue twice.
func drain(t *testing.T, client *sqs.Client, url string) []held {
	t.Helper()
	all := map[held]bool{}
	for {
		out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, VisibilityTimeout: 600})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			break
		}
		for _, m := range out.Messages {
			b, err := envelope.Open(*m.Body)
			if err != nil {
				t.Fatal(err)
			}
			for line := range b.Lines() {
				r, err := line.Report()
				if err != nil {
					t.Fatal(err)
				}
				all[held{r.ID, b.Origin.Ingestor, b.Origin.Region}] = true
			}
		}
	}
	var reports []held
	for h := range all {
		reports = append(reports, h)
	}
	slices.SortFunc(reports, func(a, b held) int { return bytes.Compare([]byte(a.id), []byte(b.id)) })
	return reports
}

// persist reports as a device does: again, until it is told 2.04.
func persist(t *testing.T, to netip.AddrPort, path, payload string) {
	t.Helper()
	eventually(t, 20*time.Second, func() error {
		code, _, err := report(to, path, payload)
		if err == nil && code != codes.Changed {
			err = fmt.Errorf("%s answers %v", to, code)
		}
		return err
	})
}

// ingestorStats returns the figures of one ingestor.
func ingestorStats(ctx context.Context, l *Lab, name string) IngestorStats {
	all := l.Stats(ctx).Ingestors
	return all[slices.IndexFunc(all, func(in IngestorStats) bool { return in.Name == name })]
}

// While a region's queue does not confirm, what its ingestors acknowledge lies in the
// other region's queue and not in its own, and the page's figures say so. When it works
// again it is used again.
func TestFallback(t *testing.T) {
	for _, tt := range []struct {
		kind          string
		index         int // of the ingestor
		region, other string
	}{
		{local.Dead, 0, Primary, Secondary},
		{local.Hang, 1, Secondary, Primary},
		{local.Error, 2, Primary, Secondary},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			t.Parallel()
			l := startLab(t, Options{})
			for _, f := range []string{"processor", "replicator"} {
				if err := l.Pause(f); err != nil {
					t.Fatal(err)
				}
			}
			in := l.plan.Ingestors[tt.index]
			heal := breakAWS(t, l, local.Fault{Region: tt.region, Service: "sqs", Kind: tt.kind})
			var want []held
			for i := range 5 {
				id := fmt.Sprint("d", i)
				persist(t, in.CoAP, "/th/"+id, `{"n":1}`)
				want = append(want, held{id, in.Name, tt.region})
			}
			eventually(t, 5*time.Second, func() error {
				s := ingestorStats(t.Context(), l, in.Name)
				if n := s.Counters["fallback_stored"]; !s.QueueDown || s.FallbackDown || n < 5 || n != s.Counters["stored"] {
					return fmt.Errorf("figures %+v", s)
				}
				return nil
			})
			heal()
			if got := drain(t, l.queueClient(tt.region), l.plan.queueURL(tt.region, reportsQueue)); len(got) != 0 {
				t.Errorf("%s holds %v, want nothing", tt.region, got)
			}
			if got := drain(t, l.queueClient(tt.other), l.plan.queueURL(tt.other, reportsQueue)); !slices.Equal(got, want) {
				t.Errorf("%s holds %v, want %v", tt.other, got, want)
			}

			n := 0
			eventually(t, 20*time.Second, func() error {
				n++
				persist(t, in.CoAP, fmt.Sprint("/th/after", n), `{"n":1}`)
				s := ingestorStats(t.Context(), l, in.Name)
				if s.QueueDown || s.Counters["fallback_stored"] == s.Counters["stored"] {
					return fmt.Errorf("figures %+v", s)
				}
				return nil
			})
			if got := drain(t, l.queueClient(tt.region), l.plan.queueURL(tt.region, reportsQueue)); len(got) == 0 {
				t.Errorf("%s works again and holds nothing", tt.region)
			}
		})
	}
}
