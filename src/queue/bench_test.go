package queue

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"coap-for-aws-iot/src/envelope"
)

// What it costs to hand over a report, by how many make a bundle: 1 is an idle sender, 300
// fill one.
func BenchmarkPut(b *testing.B) {
	r := &envelope.Report{
		Received: 1763840000123, From: netip.MustParseAddrPort("192.0.2.1:5683"), MessageID: 4711, Token: []byte{1, 2, 3, 4},
		Type: "thermo", ID: "a12345678", Format: 50, Payload: []byte(`{"t":21.5,"h":40,"battery":3.01` + strings.Repeat(" ", 20) + `}`),
	}
	for _, reports := range []int{1, 10, 300} {
		b.Run(fmt.Sprint(reports), func(b *testing.B) {
			s := NewSender(Options{Queue: &Queue{client: &fakeSQS{}, url: "q"}, Origin: envelope.Origin{Ingestor: "use1-a", Region: "us-east-1"}})
			done := func(error) {}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if err := s.Put(r, done); err != nil {
					b.Fatal(err)
				}
				if n++; n == reports {
					n = 0
					s.mu.Lock()
					s.takeOpen()
					s.full, s.held = s.full[:0], 0
					s.mu.Unlock()
				}
			}
		})
	}
}
