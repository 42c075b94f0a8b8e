package lab

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A mapping that is paused has settled what it had, and receives nothing until it is
// resumed.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{visibility: 12 * time.Hour}
		spec := Function{Name: "f", BatchSize: 10, Concurrency: 2}
		m := newMapping(newLambda(spec, nil), &poller{
			spec: spec, sqs: q, say: t.Logf,
			invoke: func(context.Context, []byte) ([]byte, error) { time.Sleep(time.Minute); return nil, nil },
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { m.run(ctx, drainLimit); close(ended) }()

		q.put(3, "x")
		time.Sleep(time.Second)
		if len(q.ids()) != 3 || m.poller.snapshot().Received != 0 {
			t.Error("a new mapping polls")
		}
		m.resume()
		m.resume()
		time.Sleep(time.Second)
		started := time.Now()
		m.pause()
		if len(q.ids()) != 0 || time.Since(started) < 58*time.Second {
			t.Errorf("paused after %v, with %v not settled", time.Since(started), q.ids())
		}
		m.pause() // again: nothing to wait for
		q.put(3, "x")
		time.Sleep(time.Hour)
		if n := m.poller.snapshot().Received; n != 3 || !m.snapshot().Paused {
			t.Errorf("received %d while paused", n)
		}
		m.resume()
		time.Sleep(2 * time.Minute)
		if len(q.ids()) != 0 {
			t.Errorf("not handled after resume: %v", q.ids())
		}
		stop()
		<-ended
	})
}

// The end does not wait for a batch longer than its limit; the batch comes back.
func TestEndOfMapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{visibility: 12 * time.Hour}
		spec := Function{Name: "f", BatchSize: 10, Concurrency: 1}
		m := newMapping(newLambda(spec, nil), &poller{
			spec: spec, sqs: q, say: t.Logf,
			invoke: func(life context.Context, _ []byte) ([]byte, error) { <-life.Done(); return nil, errors.New("killed") },
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { m.run(ctx, drainLimit); close(ended) }()
		m.resume()
		q.put(3, "x")
		time.Sleep(time.Second)
		stop()
		started := time.Now()
		<-ended
		if d := time.Since(started); d != drainLimit {
			t.Errorf("ended after %v, want %v", d, drainLimit)
		}
		if got := m.poller.snapshot(); got != (Deliveries{Received: 3, Returned: 3}) {
			t.Errorf("counted %+v", got)
		}
		if _, err := m.lambda.invoke(context.Background(), nil); !errors.Is(err, errClosed) {
			t.Errorf("a function whose mapping has ended: %v", err)
		}
	})
}
