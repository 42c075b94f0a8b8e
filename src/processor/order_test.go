package processor

import (
	"cmp"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"coap-for-aws-iot/src/envelope"
)

// TestMain runs more histories than rapid does by default. -rapid.checks=100000
// runs as many as one likes.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		flag.Set("rapid.checks", "5000")
	}
	os.Exit(m.Run())
}

// The model. A device sends reports; each is accepted once or more, by ingestors
// whose clocks differ, after a delay in the network; each accepted copy is delivered
// once or more, in any order, hours late, in batches, to a processor that may crash.
// The reference knows none of this. It applies what was sent, in the order in which
// it was sent, to a map.

// A sending is one report as the device made it.
type sending struct {
	at     int64 // when it was first sent, ms
	number uint64
	says   string // JSON object
}

// A copy is a report as an ingestor has accepted it.
type copyOf struct {
	sending   int
	report    envelope.Report
	ingestor  string
	firstSent int64
	arrives   int64 // at the processor; 0: whenever
}

const (
	second = int64(1000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour

	maxNetwork = 145 * second // RFC 7252, section 4.8.2: MAX_LATENCY and MAX_TRANSMIT_SPAN
	maxSlow    = 116 * second // how far an ingestor's clock may be behind; docs/order.md proves 117 s
	maxQueue   = 1 * second   // from the socket to SQS
	maxQueued  = 14*day + 20*hour
)

// history draws the life of a device that keeps the rules: all of its reports are
// numbered, or none; numbers never go back; a report is not sent again once a later
// one was sent.
func history(t *rapid.T) (sent []sending, copies []copyOf) {
	return historyWith(t, []int64{0, 1, second, minute, 5 * minute, hour, day, 2 * day})
}

// historyWith draws from so long silences between reports.
func historyWith(t *rapid.T, silences []int64) (sent []sending, copies []copyOf) {
	withNumbers := rapid.Bool().Draw(t, "numbered")
	n := rapid.IntRange(1, 8).Draw(t, "reports")
	now, number := at0, rapid.Uint64Range(0, 3).Draw(t, "first number")
	for i := range n {
		gap := rapid.SampledFrom(silences).Draw(t, "gap")
		if !withNumbers {
			// Without a number nothing tells the order but time: a device that sends
			// faster than the network may reorder cannot be helped.
			gap += maxNetwork + maxSlow + maxQueue + 1
		}
		now += gap
		number += rapid.SampledFrom([]uint64{1, 2, 1 << 40}).Draw(t, "step")
		s := sending{at: now, number: number, says: object(t)}
		sent = append(sent, s)

		last := now
		for range rapid.IntRange(1, 3).Draw(t, "copies") {
			delay := rapid.Int64Range(0, maxNetwork).Draw(t, "delay")
			copies = append(copies, accept(t, i, s, withNumbers, last+delay))
			// Sent again: the device has not heard an answer.
			last += rapid.SampledFrom([]int64{2 * second, minute, 4 * minute, hour}).Draw(t, "again")
		}
		if i < n-1 {
			now = last
		}
	}
	return sent, copies
}

// accept returns the copy that an ingestor makes of s at the given true time.
func accept(t *rapid.T, i int, s sending, numbered bool, at int64) copyOf {
	ingestor := rapid.SampledFrom([]string{"use1-a", "use1-b", "euw1-a", "euw1-b"}).Draw(t, "ingestor")
	skew := rapid.SampledFrom([]int64{0, 0, 3, -maxSlow, hour, 30 * day}).Draw(t, "skew")
	r := says(at+skew, s.says)
	r.Seq, r.Numbered = s.number, numbered
	if !numbered {
		r.Seq = 0
	}
	return copyOf{sending: i, report: r, ingestor: ingestor, firstSent: at + rapid.Int64Range(0, maxQueue).Draw(t, "queue")}
}

// object draws what a report says: some of a few fields, scalars, arrays, objects
// that AWS IoT would merge, nulls in both meanings, nothing.
func object(t *rapid.T) string {
	names := []string{"a", "b", "c", "", "a-name-that-is-long", "another-long-name"}
	fields := map[string]any{}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 4, rapid.ID).Draw(t, "fields") {
		fields[name] = anyValue(t, 3)
	}
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func anyValue(t *rapid.T, levels int) any {
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	if levels == 0 {
		kind %= 3
	}
	switch kind {
	case 0:
		return nil
	case 1:
		return rapid.IntRange(0, 9).Draw(t, "number")
	case 2:
		return rapid.SampledFrom([]string{"", "x", "<é>"}).Draw(t, "text")
	case 3:
		return []any{rapid.IntRange(0, 9).Draw(t, "element"), map[string]any{"k": true}}
	}
	m := map[string]any{}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 3, rapid.ID).Draw(t, "keys") {
		m[name] = anyValue(t, levels-1)
	}
	return m
}

// A fatal is a test of either package.
type fatal interface{ Fatal(args ...any) }

// inSendingOrder is the reference: what the shadow must be.
func inSendingOrder(t fatal, sent []sending) string {
	shadow := map[string]any{}
	for _, s := range sent {
		var fields map[string]any
		if err := json.Unmarshal([]byte(s.says), &fields); err != nil {
			t.Fatal(err)
		}
		for name, value := range fields {
			if value = pruned(value); value == nil {
				delete(shadow, name)
			} else {
				shadow[name] = value
			}
		}
	}
	text, _ := json.Marshal(shadow)
	return string(text)
}

// pruned leaves out of objects what is null or holds nothing.
func pruned(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for k, child := range m {
		if child = pruned(child); child != nil {
			out[k] = child
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// deliver brings copies to a shadow: in a drawn order, some twice, in batches, with
// crashes before and after the write and with and without memory.
func deliver(t *rapid.T, copies []copyOf) *fakeShadow {
	return process(t, rapid.Permutation(someTwice(t, copies)).Draw(t, "arrivals"))
}

// deliverInTime is deliver by queues that keep each copy for maxQueued at most.
func deliverInTime(t *rapid.T, copies []copyOf) *fakeShadow {
	arrivals := someTwice(t, copies)
	for i := range arrivals {
		arrivals[i].arrives = arrivals[i].firstSent + rapid.SampledFrom([]int64{0, 0, hour, 12 * day, maxQueued}).Draw(t, "queued")
	}
	slices.SortStableFunc(arrivals, func(a, b copyOf) int { return cmp.Compare(a.arrives, b.arrives) })
	return process(t, arrivals)
}

func someTwice(t *rapid.T, copies []copyOf) []copyOf {
	arrivals := slices.Clone(copies)
	for _, c := range copies {
		if rapid.IntRange(0, 3).Draw(t, "delivered twice") == 0 {
			arrivals = append(arrivals, c)
		}
	}
	return arrivals
}

// process brings arrivals to a shadow in batches, with crashes before and after the write
// and with and without memory. A batch that a crash has undone comes again: at once among
// others if it is known when its copies arrive, after all others if not.
func process(t *rapid.T, arrivals []copyOf) *fakeShadow {
	again := func(batch []copyOf) {
		if batch[0].arrives > 0 {
			arrivals = append(slices.Clone(batch), arrivals...)
		} else {
			arrivals = append(arrivals, batch...)
		}
	}
	shadow := &fakeShadow{version: 1, reported: map[string]any{bookkeepingField: map[string]any{"v": 1}}}
	var remembered *state
	for len(arrivals) > 0 {
		together := slices.IndexFunc(arrivals, func(c copyOf) bool { return c.arrives > arrivals[0].arrives+hour })
		if together < 0 {
			together = len(arrivals)
		}
		size := rapid.IntRange(1, together).Draw(t, "batch")
		batch := arrivals[:size]
		arrivals = arrivals[size:]

		s := remembered
		if s == nil || rapid.Bool().Draw(t, "cold") {
			var err error
			if s, err = parseShadow(shadow.document()); err != nil {
				t.Fatal(err)
			}
			s.thingType = "th"
		}
		remembered = nil
		changed := false
		for _, c := range batch {
			values, err := decode(&c.report)
			if err != nil {
				t.Fatal(err)
			}
			didChange, err := s.merge(keyOf(&c.report, c.ingestor, c.firstSent), values)
			if err != nil {
				t.Fatal(err)
			}
			changed = changed || didChange
		}
		crash := rapid.IntRange(0, 5).Draw(t, "crash")
		if crash == 0 {
			again(batch)
			continue
		}
		if changed {
			version := shadow.update(s.patch())
			if crash == 1 {
				again(batch)
				continue
			}
			s.commit(version)
		}
		remembered = s
	}
	return shadow
}

// Whatever the order of arrival, the duplicates, the batches and the crashes: the
// shadow is what the sending order gives, and the bookkeeping too is the same.
func TestShadowFollowsSendingOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sent, copies := history(t)
		var books []string
		for range 2 {
			shadow := deliver(t, copies)
			shows(t, shadow, sent)
			books = append(books, string(appendJSON(nil, shadow.reported[bookkeepingField])))
		}
		if books[0] != books[1] {
			t.Fatalf("bookkeeping %s after one order of arrival, %s after another", books[0], books[1])
		}
	})
}

// Nor does it matter that what is remembered ends after 15 days: silences are as long, a
// little less and a little more, and copies come as late as queues keep them. Bookkeeping
// may differ by a tombstone that is a slot older or younger than that.
func TestShadowFollowsSendingOrderForMonths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sent, copies := historyWith(t, []int64{
			second, hour, 3 * day, 7 * day, 14 * day, maxSpan - minute, maxSpan - 1, maxSpan, maxSpan + 1, maxSpan + minute, 16 * day, 40 * day,
		})
		shows(t, deliverInTime(t, copies), sent)
	})
}

// shows fails unless the shadow shows what the sending order gives.
func shows(t *rapid.T, shadow *fakeShadow, sent []sending) {
	reported := maps.Clone(shadow.reported)
	delete(reported, bookkeepingField)
	got, err := json.Marshal(reported)
	if err != nil {
		t.Fatal(err)
	}
	if want := inSendingOrder(t, sent); string(got) != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// A device breaks every rule: numbers go back, some reports have none, the same
// number has other bytes. A report that came in more than 2^18 ms after all others
// nevertheless is what the shadow shows in the end, in whatever order they arrive.
func TestRuleBreakersHeal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "reports")
		now := at0
		var copies []copyOf
		for i := range n {
			s := sending{number: rapid.Uint64Range(0, 3).Draw(t, "number"), says: object(t)}
			now += rapid.SampledFrom([]int64{0, 1, second, minute, 4 * minute, hour}).Draw(t, "gap")
			copies = append(copies, accept(t, i, s, rapid.Bool().Draw(t, "numbered"), now))
		}
		last := sending{number: 1, says: object(t)}
		copies = append(copies, accept(t, n, last, rapid.Bool().Draw(t, "numbered"), now+1<<slotBits+maxSlow+maxQueue+1))
		shadow := deliver(t, copies)

		var fields map[string]any
		if err := json.Unmarshal([]byte(last.says), &fields); err != nil {
			t.Fatal(err)
		}
		for name, value := range fields {
			got, want := string(appendJSON(nil, shadow.reported[name])), string(appendJSON(nil, pruned(value)))
			if got != want {
				t.Fatalf("field %q: got %s, want %s", name, got, want)
			}
		}
	})
}

// A device that restarts at number 1 every minute, without end, is not shut out:
// neither by what it said before, nor by its own first report.
func TestRestartAtOneIsBelievedAfterTheWindow(t *testing.T) {
	s := &state{fields: map[string]*field{}}
	shown, since := any("before"), at0
	for at := at0; at < at0+hour; at += minute {
		k := key{time: at, seq: 1, numbered: true}
		if at == at0 {
			k.seq = 500
		}
		if _, err := s.merge(k, map[string]any{"boot": at}); err != nil {
			t.Fatal(err)
		}
		if now := s.fields["boot"].value; now != shown {
			shown, since = now, at
		}
		if at-since > 1<<slotBits+minute {
			t.Fatalf("%d s after a report the shadow still shows it", (at-since)/second)
		}
	}
}
