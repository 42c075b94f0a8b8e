package ingestor

import (
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAdmin(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		get := func(path string) (int, string) {
			rec := httptest.NewRecorder()
			w.in.admin().ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
			return rec.Code, rec.Body.String()
		}
		if code, body := get("/healthz"); code != 200 || body != "ok\n" {
			t.Errorf("/healthz: %d %q", code, body)
		}
		if code, body := get("/debug/pprof/heap?debug=1"); code != 200 || !strings.Contains(body, "heap profile") {
			t.Errorf("/debug/pprof/heap: %d %.40q", code, body)
		}
		if code, _ := get("/"); code != 404 {
			t.Errorf("/: %d", code)
		}

		// The names are a contract: alarms, dashboards and the lab read them.
		_, body := get("/metrics")
		var names []string
		for line := range strings.Lines(body) {
			if fields := strings.Fields(line); len(fields) > 3 && fields[1] == "TYPE" && strings.HasPrefix(fields[2], "coap_") {
				names = append(names, fields[2])
			}
		}
		want := []string{
			"coap_accepted_total", "coap_ack_seconds", "coap_acked_total", "coap_clock_unsynchronised", "coap_duplicates_total", "coap_fallback_bundles_total",
			"coap_fallback_down", "coap_fallback_stored_total", "coap_kernel_drops_total",
			"coap_queue_bundles_total", "coap_queue_calls_in_flight", "coap_queue_calls_total", "coap_queue_down", "coap_queue_held_bytes",
			"coap_received_total", "coap_refused_total", "coap_stored_total", "coap_unsent_total",
		}
		if !slices.Equal(names, want) {
			t.Errorf("metrics %q, want %q", names, want)
		}

		w.sqs.set(func(f *fakeSQS) { f.before = errors.New("no route to host") })
		w.device.send(con(1, "th/a1", "x"))
		time.Sleep(100 * time.Millisecond)
		if code, body := get("/healthz"); code != 503 || !strings.Contains(body, "no route to host") {
			t.Errorf("/healthz while the queue is down: %d %q", code, body)
		}
	})
}
