package local

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestQueueInvariants drives one queue with random calls and checks its books after each.
func TestQueueInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_000_000, 0)
		set := defaultSettings()
		set.retention = time.Minute
		set.redrive = redrivePolicy{target: "x", maxReceives: 3}
		q := newQueue(1, "us-east-1", "000000000000", "q", now, set)
		handles := []receiptHandle{}
		until := map[uint64]time.Time{} // of each message in flight: hidden at least so long
		sent, gone := 0, 0
		t.Repeat(map[string]func(*rapid.T){
			"send": func(t *rapid.T) {
				delay := time.Duration(rapid.IntRange(0, 20).Draw(t, "delay")) * time.Second
				q.add(&message{id: "x", sent: now}, now, now.Add(delay))
				until[q.lastSeq] = now.Add(delay)
				sent++
			},
			"receive": func(t *rapid.T) {
				visibility := time.Duration(rapid.IntRange(0, 30).Draw(t, "visibility")) * time.Second
				gone += len(q.advance(now))
				got, dead := q.receive(now, rapid.IntRange(1, 10).Draw(t, "n"), visibility, true)
				gone += len(dead)
				for _, m := range got {
					if until[m.seq].After(now) {
						t.Fatalf("message %d received %v too early", m.seq, until[m.seq].Sub(now))
					}
					if m.receivesHere > 3 {
						t.Fatalf("message %d received %d times", m.seq, m.receivesHere)
					}
					until[m.seq] = now.Add(visibility)
					handles = append(handles, receiptHandle{q.id, m.seq, m.receipt})
				}
			},
			"delete": func(t *rapid.T) {
				if len(handles) == 0 {
					t.Skip()
				}
				if m := q.find(rapid.SampledFrom(handles).Draw(t, "handle")); m != nil {
					q.remove(m)
					gone++
				}
			},
			"change": func(t *rapid.T) {
				if len(handles) == 0 {
					t.Skip()
				}
				visibility := time.Duration(rapid.IntRange(0, 30).Draw(t, "visibility")) * time.Second
				if m := q.find(rapid.SampledFrom(handles).Draw(t, "handle")); m != nil && m.inFlight() {
					q.reschedule(m, now, visibility)
					until[m.seq] = now.Add(visibility)
				}
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 20).Draw(t, "seconds")) * time.Second)
				gone += len(q.advance(now))
			},
			"": func(t *rapid.T) {
				if len(q.messages) != sent-gone {
					t.Fatalf("%d messages, want %d", len(q.messages), sent-gone)
				}
				if len(q.aged.of) != len(q.messages) || len(q.ready.of)+len(q.hidden.of) != len(q.messages) {
					t.Fatalf("%d messages, %d aged, %d ready, %d hidden", len(q.messages), len(q.aged.of), len(q.ready.of), len(q.hidden.of))
				}
				delayed := 0
				for i, m := range q.hidden.of {
					if !m.hidden || m.place != i {
						t.Fatalf("message %d is lost in hidden", m.seq)
					}
					if m.delayed {
						delayed++
					}
				}
				for i, m := range q.ready.of {
					if m.hidden || m.delayed || m.place != i {
						t.Fatalf("message %d is lost in ready", m.seq)
					}
				}
				for i, m := range q.aged.of {
					if m.agePlace != i || q.messages[m.seq] != m {
						t.Fatalf("message %d is lost in aged", m.seq)
					}
				}
				if delayed != q.delayed {
					t.Fatalf("%d delayed, counted %d", delayed, q.delayed)
				}
			},
		})
	})
}

// state draws the JSON of a section, with nulls in objects if they are asked for.
func state(nulls bool) *rapid.Generator[any] {
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		kinds := []*rapid.Generator[any]{
			rapid.Map(rapid.IntRange(0, 3), func(n int) any { return json.Number(fmt.Sprint(n)) }),
			rapid.Map(rapid.Bool(), func(b bool) any { return b }),
			rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y"}), 0, 3), func(l []string) any {
				out := []any{}
				for _, s := range l {
					out = append(out, s)
				}
				return out
			}),
		}
		if nulls {
			kinds = append(kinds, rapid.Just[any](nil))
		}
		if depth > 0 {
			kinds = append(kinds, rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c"}), value(depth-1), 0, 3), func(m map[string]any) any { return m }))
		}
		return rapid.OneOf(kinds...)
	}
	return rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), value(2), 0, 4), func(m map[string]any) any { return m })
}

// TestShadowProperties: metadata has the shape of the state; a section that is written
// whole over nothing reads back as it is; what a patch says is so afterwards; merging
// leaves the old shadow alone; the delta is empty exactly if desired is part of reported.
func TestShadowProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_000_000, 0)
		var sh *shadow
		for range rapid.IntRange(1, 6).Draw(t, "updates") {
			section := rapid.SampledFrom([]string{"desired", "reported"}).Draw(t, "section")
			patch := state(true).Draw(t, "patch").(object)
			u, failed := parseShadowUpdate(encode(object{"state": object{section: patch}}))
			if failed != nil {
				t.Fatal(failed)
			}
			var old []byte
			if sh != nil {
				old = sh.document(now)
			}
			next, failed := sh.update(u, now)
			if failed != nil {
				t.Fatal(failed)
			}
			if sh != nil && string(sh.document(now)) != string(old) {
				t.Fatalf("the update changed the shadow before it:\n%s\n%s", old, sh.document(now))
			}
			sh = next
			got := sh.desired
			if section == "reported" {
				got = sh.reported
			}
			sameAsPatch(t, got, patch)
			now = now.Add(time.Second)
		}
		sameShape(t, sh.desired, sh.desiredMeta)
		sameShape(t, sh.reported, sh.reportedMeta)
		diff, diffMeta := delta(sh.desired, sh.desiredMeta, sh.reported)
		sameShape(t, diff, diffMeta)
		if merged, _ := mergeObject(sh.reported, sh.reportedMeta, sh.desired, object{}); (diff == nil) != equal(node(merged), node(orEmpty(sh.reported))) {
			t.Fatalf("delta %v of desired %v and reported %v", diff, sh.desired, sh.reported)
		}
	})
}

func orEmpty(o object) object {
	if o == nil {
		return object{}
	}
	return o
}

// sameAsPatch checks that state says what patch does.
func sameAsPatch(t *rapid.T, state, patch object) {
	for k, want := range patch {
		got, has := state[k]
		switch want := want.(type) {
		case nil:
			if has {
				t.Fatalf("%s is %v after null", k, got)
			}
		case object:
			o, _ := got.(object)
			sameAsPatch(t, o, want)
		default:
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%s is %v, want %v", k, got, want)
			}
		}
	}
}

// sameShape checks that meta has the keys of state, and a timestamp for each leaf.
func sameShape(t *rapid.T, state, meta node) {
	switch state := state.(type) {
	case object:
		m, ok := meta.(object)
		if !ok || len(m) != len(state) {
			t.Fatalf("metadata of %v is %v", state, meta)
		}
		for k, v := range state {
			sameShape(t, v, m[k])
		}
	case []any:
		m, ok := meta.([]any)
		if !ok || len(m) != len(state) {
			t.Fatalf("metadata of %v is %v", state, meta)
		}
		for i, v := range state {
			sameShape(t, v, m[i])
		}
	default:
		if m, ok := meta.(object); !ok || len(m) != 1 || m["timestamp"] == nil {
			t.Fatalf("metadata of %v is %v", state, meta)
		}
	}
}

// FuzzShadow: no document breaks the service, what is accepted is within the limits, and
// it reads back as JSON.
func FuzzShadow(f *testing.F) {
	for _, seed := range []string{`{"state":{"reported":{"a":[1,{"b":null}]}},"version":1,"clientToken":"t"}`, `{"state":null}`, `[]`, `{"state":{"desired":null}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		u, failed := parseShadowUpdate(body)
		if failed != nil {
			return
		}
		sh, failed := (*shadow)(nil).update(u, time.Unix(1, 0))
		if failed != nil {
			return
		}
		if sh.size() > maxShadowBytes || !json.Valid(sh.document(time.Unix(1, 0))) || !json.Valid(u.accepted(sh, time.Unix(1, 0))) {
			t.Errorf("accepted %s", body)
		}
		again, err := parseShadow(sh.saved(&region{name: "x"}, shadowKey{}).value)
		if err != nil || string(again.document(time.Unix(1, 0))) != string(sh.document(time.Unix(1, 0))) {
			t.Errorf("kept %s as %s: %v", body, again.document(time.Unix(1, 0)), err)
		}
	})
}

// FuzzSQS: no request breaks the service.
func FuzzSQS(f *testing.F) {
	f.Add("SendMessageBatch", `{"QueueUrl":"http://x/us-east-1/000000000000/q","Entries":[{"Id":"a","MessageBody":"\ud800"}]}`)
	f.Add("CreateQueue", `{"QueueName":"q2","Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:q\",\"maxReceiveCount\":1e9}"}}`)
	f.Add("StartMessageMoveTask", `{"SourceArn":":"}`)
	f.Fuzz(func(t *testing.T, operation, body string) {
		s := New(Options{})
		defer s.Close()
		url := makeQueue(t, inProcess(s), "q", nil)
		send(t, inProcess(s), url, "m")
		r, err := http.NewRequest("POST", "http://local.test/", strings.NewReader(body))
		if err != nil {
			return
		}
		r.Header.Set("X-Amz-Target", "AmazonSQS."+operation)
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/sqs/aws4_request, x")
		if strings.Contains(body, "WaitTime") {
			return // it would
		}
		out, err := s.Transport().RoundTrip(r)
		if err != nil || out.StatusCode >= 500 {
			t.Errorf("%s %s: %v %v", operation, body, out, err)
		}
	})
}
