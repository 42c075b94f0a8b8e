package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// A fakeFunction records what it is invoked with and answers as told.
type fakeFunction struct {
	answer func(ids []string) (string, error) // nil: all is done
	takes  time.Duration

	mu    sync.Mutex // guards the following
	calls []fakeCall
}

type fakeCall struct {
	at   time.Duration // since the poller was started
	ids  []string
	size int
}

// polling runs a poller on q in a bubble while f runs, then pauses it, and returns what
// the poller has said.
func polling(t *testing.T, spec Function, q *fakeQueue, function *fakeFunction, f func(p *poller)) []string {
	t.Helper()
	var mu sync.Mutex
	var said []string
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		spec.Queue.Visibility = q.visibility
		p := &poller{spec: spec, sqs: q, say: func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			said = append(said, fmt.Sprintf(format, args...))
		}}
		p.invoke = func(_ context.Context, event []byte) ([]byte, error) {
			var decoded events.SQSEvent
			if err := json.Unmarshal(event, &decoded); err != nil {
				t.Errorf("event: %v", err)
			}
			c := fakeCall{at: time.Since(started), size: len(event)}
			for _, r := range decoded.Records {
				c.ids = append(c.ids, r.MessageId)
			}
			function.mu.Lock()
			function.calls = append(function.calls, c)
			function.mu.Unlock()
			time.Sleep(function.takes)
			if function.answer == nil {
				return nil, nil
			}
			answer, err := function.answer(c.ids)
			return []byte(answer), err
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { p.run(ctx, context.Background()); close(done) }()
		f(p)
		stop()
		<-done
	})
	return said
}

func (f *fakeFunction) sizes() []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	var sizes []int
	for _, c := range f.calls {
		sizes = append(sizes, len(c.ids))
	}
	return sizes
}

// Without a window each receive is a batch, at once.
func TestNoWindow(t *testing.T) {
	q, f := &fakeQueue{visibility: time.Minute}, &fakeFunction{}
	polling(t, Function{BatchSize: 10, Concurrency: 1}, q, f, func(*poller) {
		time.Sleep(30 * time.Second) // a long poll and a half of an empty queue
		q.put(1, "x")
		time.Sleep(time.Second)
		q.put(23, "x")
		time.Sleep(time.Second)
	})
	if want := []int{1, 10, 10, 3}; !reflect.DeepEqual(f.sizes(), want) {
		t.Errorf("batches of %v, want %v", f.sizes(), want)
	}
	if at := f.calls[0].at; at > 30*time.Second+20*time.Millisecond {
		t.Errorf("the first message was handled after %v, it was there after 30s", at)
	}
	if len(q.ids()) != 0 {
		t.Errorf("not deleted: %v", q.ids())
	}
}

// The window begins with the first message, and ends at once when the batch is full.
func TestWindow(t *testing.T) {
	q, f := &fakeQueue{visibility: time.Minute}, &fakeFunction{}
	polling(t, Function{BatchSize: 100, Window: 5 * time.Second, Concurrency: 1}, q, f, func(*poller) {
		time.Sleep(7 * time.Second)
		for range 8 { // at 7, 8.1, ... 14.7 s
			q.put(1, "x")
			time.Sleep(1100 * time.Millisecond)
		}
		time.Sleep(20 * time.Second)
		q.put(150, "x")
		time.Sleep(time.Second)
		if n := f.sizes(); len(n) != 3 || n[2] != 100 {
			t.Errorf("batches of %v, want the third to be full at once", n)
		}
		time.Sleep(5 * time.Second)
	})
	if want := []int{5, 3, 100, 50}; !reflect.DeepEqual(f.sizes(), want) {
		t.Errorf("batches of %v, want %v", f.sizes(), want)
	}
	if at := f.calls[0].at; at < 12*time.Second || at > 12*time.Second+shortPoll {
		t.Errorf("the first batch went after %v, want 5s after its first message at 7s", at)
	}
}

// An event is never longer than Lambda's limit; what has no room is the next batch, and is
// not received twice.
func TestEventSize(t *testing.T) {
	q, f := &fakeQueue{visibility: time.Hour}, &fakeFunction{}
	polling(t, Function{BatchSize: 10_000, Window: time.Second, Concurrency: 1}, q, f, func(*poller) {
		q.put(20, strings.Repeat("x", 1<<20-1000))
		time.Sleep(10 * time.Second)
	})
	n := 0
	for _, c := range f.calls {
		if n += len(c.ids); c.size > 6<<20 {
			t.Errorf("an event of %d bytes", c.size)
		}
	}
	if want := []int{6, 6, 6, 2}; !reflect.DeepEqual(f.sizes(), want) || n != 20 {
		t.Errorf("batches of %v, want %v", f.sizes(), want)
	}
}

// What a response means for the messages of its batch (AWS Lambda Developer Guide,
// "Implementing partial batch responses").
func TestOutcomes(t *testing.T) {
	all := []string{"m1", "m2", "m3"}
	for _, tt := range []struct {
		name     string
		response string
		err      error
		left     []string
	}{
		{"an empty response", ``, nil, nil},
		{"null", `null`, nil, nil},
		{"an empty object", `{}`, nil, nil},
		{"a null list", `{"batchItemFailures":null}`, nil, nil},
		{"an empty list", `{"batchItemFailures":[]}`, nil, nil},
		{"one", `{"batchItemFailures":[{"itemIdentifier":"m2"}]}`, nil, []string{"m2"}},
		{"one, twice", `{"batchItemFailures":[{"itemIdentifier":"m2"},{"itemIdentifier":"m2"}]}`, nil, []string{"m2"}},
		{"all", `{"batchItemFailures":[{"itemIdentifier":"m1"},{"itemIdentifier":"m2"},{"itemIdentifier":"m3"}]}`, nil, all},
		{"no JSON", `{"batchItemFailures":`, nil, all},
		{"other JSON", `["m1"]`, nil, all},
		{"an empty identifier", `{"batchItemFailures":[{"itemIdentifier":""}]}`, nil, all},
		{"a null identifier", `{"batchItemFailures":[{"itemIdentifier":null}]}`, nil, all},
		{"a wrong key", `{"batchItemFailures":[{"id":"m1"}]}`, nil, all},
		{"an unknown identifier", `{"batchItemFailures":[{"itemIdentifier":"m1"},{"itemIdentifier":"m9"}]}`, nil, all},
		{"an error", ``, errors.New("crashed"), all},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := &fakeQueue{visibility: time.Minute}
			f := &fakeFunction{answer: func([]string) (string, error) { return tt.response, tt.err }}
			said := polling(t, Function{BatchSize: 10, Concurrency: 1}, q, f, func(p *poller) {
				q.put(3, "x")
				time.Sleep(59 * time.Second)
				if got := q.ids(); !reflect.DeepEqual(got, tt.left) {
					t.Errorf("left on the queue: %v, want %v", got, tt.left)
				}
				if want := (Deliveries{3, uint64(3 - len(tt.left)), uint64(len(tt.left))}); p.snapshot() != want {
					t.Errorf("counted %+v, want %+v", p.snapshot(), want)
				}
				if n := len(f.sizes()); n != 1 {
					t.Errorf("%d invocations within the visibility timeout", n)
				}
				f.mu.Lock()
				f.answer = nil
				f.mu.Unlock()
				time.Sleep(2 * time.Second) // they come back, and are done now
			})
			if len(q.ids()) != 0 {
				t.Errorf("never came back: %v", q.ids())
			}
			if whole := len(tt.left) == 3 && tt.name != "all"; whole != (len(said) == 1) {
				t.Errorf("said %q", said)
			}
		})
	}
}

// DeleteMessageBatch takes ten at most; what it could not delete comes again.
func TestDeletes(t *testing.T) {
	q, f := &fakeQueue{visibility: time.Minute, stubborn: "m7"}, &fakeFunction{}
	polling(t, Function{BatchSize: 25, Window: time.Second, Concurrency: 1}, q, f, func(p *poller) {
		q.put(25, "x")
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if want := []int{10, 10, 5}; !reflect.DeepEqual(q.deletes, want) {
			t.Errorf("deletes of %v, want %v", q.deletes, want)
		}
		if got := p.snapshot(); got != (Deliveries{25, 24, 0}) {
			t.Errorf("counted %+v", got)
		}
		q.mu.Lock()
		q.stubborn = ""
		q.mu.Unlock()
		time.Sleep(time.Minute)
	})
	if len(q.ids()) != 0 {
		t.Errorf("left: %v", q.ids())
	}
}

// As many batches run at a time as the concurrency allows, and no more than Lambda's five.
func TestConcurrency(t *testing.T) {
	for _, tt := range []struct{ concurrency, want int }{{2, 2}, {100, 5}} {
		q, f := &fakeQueue{visibility: time.Hour}, &fakeFunction{takes: 10 * time.Second}
		polling(t, Function{BatchSize: 1, Concurrency: tt.concurrency}, q, f, func(*poller) {
			q.put(50, "x")
			time.Sleep(9 * time.Second)
			if n := len(f.sizes()); n != tt.want {
				t.Errorf("concurrency %d: %d at a time, want %d", tt.concurrency, n, tt.want)
			}
		})
	}
}

// While the queue cannot be reached, or does not answer, the poller tries on and says so
// once.
func TestQueueDown(t *testing.T) {
	for _, tt := range []struct {
		q    *fakeQueue
		back time.Duration // polling again after the recovery
	}{
		{&fakeQueue{visibility: time.Minute, down: true}, time.Second},
		{&fakeQueue{visibility: time.Minute, mute: true}, longPoll + receiveLimit + time.Second},
	} {
		f := &fakeFunction{}
		said := polling(t, Function{BatchSize: 10, Concurrency: 2}, tt.q, f, func(*poller) {
			tt.q.put(1, "x")
			time.Sleep(time.Hour)
			tt.q.mu.Lock()
			tt.q.down, tt.q.mute = false, false
			tt.q.mu.Unlock()
			time.Sleep(tt.back)
			if len(tt.q.ids()) != 0 {
				t.Errorf("not handled within %v of recovery: %v", tt.back, tt.q.ids())
			}
		})
		if len(said) != 2 {
			t.Errorf("said %q", said)
		}
	}
}

// A poller receives no more than it is going to invoke with: what it holds is invisible to
// everybody else.
func TestReceivesNoMoreThanABatch(t *testing.T) {
	q, f := &fakeQueue{visibility: time.Hour}, &fakeFunction{takes: 10 * time.Second}
	polling(t, Function{BatchSize: 15, Window: time.Second, Concurrency: 1}, q, f, func(p *poller) {
		q.put(40, "x")
		time.Sleep(5 * time.Second)
		if n := p.snapshot().Received; n != 15 {
			t.Errorf("received %d for a batch of 15", n)
		}
	})
}

// A poller that is told to stop settles what it has received.
func TestStopSettles(t *testing.T) {
	big := strings.Repeat("x", 1<<20-1000)
	for _, tt := range []struct {
		name string
		spec Function
		body string
	}{
		{"invoked", Function{BatchSize: 10, Concurrency: 1}, "x"},
		{"gathering", Function{BatchSize: 10_000, Window: time.Hour, Concurrency: 1}, "x"},
		{"left over", Function{BatchSize: 10, Concurrency: 1}, big},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q, f := &fakeQueue{visibility: 12 * time.Hour}, &fakeFunction{takes: time.Minute}
			polling(t, tt.spec, q, f, func(*poller) {
				q.put(8, tt.body)
				time.Sleep(time.Second)
			})
			if len(q.ids()) != 0 {
				t.Errorf("left in flight: %v", q.left())
			}
		})
	}
}
