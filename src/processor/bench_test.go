package processor

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"coap-for-aws-iot/src/envelope"
)

// A willing transport accepts every write of a shadow at once.
type willing struct{}

func (willing) RoundTrip(r *http.Request) (*http.Response, error) {
	io.Copy(io.Discard, r.Body)
	r.Body.Close()
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(`{"state":{"reported":{"t":1}},"version":7}`)),
	}, nil
}

// BenchmarkHandle is the usual report: a thing that is remembered, one write of its
// shadow. What AWS IoT does is left out.
func BenchmarkHandle(b *testing.B) {
	const things = 500
	w := newWorld(b)
	var reports []envelope.Report
	for i := range things {
		reports = append(reports, by(fmt.Sprint("thing-", i), says(at0, `{"t":21.5,"h":40,"o":{"a":1}}`)))
	}
	w.useTransport(willing{})
	for i := range things {
		w.p.cache.put(fmt.Sprint("thing-", i), &state{version: 7, thingType: "th", fields: map[string]*field{}})
	}
	n := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		n++
		for i := range reports {
			reports[i].Received = at0 + n
		}
		w.p.Handle(b.Context(), events.SQSEvent{Records: []events.SQSMessage{{MessageId: "m", Body: string(bundleOf("use1-a", reports...))}}})
		w.metrics.text.Reset()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*things), "ns/report")
	if w.p.cache.bytes == 0 {
		b.Error("nothing is remembered")
	}
}

// BenchmarkMerge is what the order costs: decode, merge and patch of one report.
func BenchmarkMerge(b *testing.B) {
	s := &state{version: 7, thingType: "th", fields: map[string]*field{}}
	r := says(at0, `{"t":21.5,"h":40,"o":{"a":1}}`)
	b.ReportAllocs()
	for b.Loop() {
		r.Received++
		values, err := decode(&r)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.merge(keyOf(&r, "use1-a", 0), values); err != nil {
			b.Fatal(err)
		}
		s.patch()
		s.commit(8)
	}
}
