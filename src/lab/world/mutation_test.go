package world

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A mutation breaks one promise in the source.
type mutation struct {
	name     string
	file     string // below src
	old, new string // old stands in the file exactly once
}

var mutations = []mutation{
	{"an ACK before the store", "ingestor/listener.go",
		"	in.metrics.accepted.Inc()\n",
		"	in.metrics.accepted.Inc()\n	l.answer(p, coap.Response{Code: codes.Changed})\n"},
	{"a failed entry of a batch counts as stored", "queue/queue.go",
		`errs[i] = entryError("send to queue", entry)`,
		`errs[i] = nil`},
	{"the order reversed", "processor/key.go",
		"if c := cmp.Compare(a.seq, b.seq); c != 0 {",
		"if c := cmp.Compare(b.seq, a.seq); c != 0 {"},
	{"numbers ignored", "processor/key.go",
		"if a.numbered && b.numbered && near(a.time, b.time) {",
		"if a.numbered && b.numbered && a.time == b.time {"},
	{"a recursive merge left to AWS", "processor/patch.go",
		"			out[name] = nil\n",
		""},
	{"the replicator deletes what the primary has not confirmed", "replicator/replicator.go",
		"	return queue.Response(failed), nil\n",
		"	return queue.Response(nil), nil\n"},
	{"the replicator forgets when a bundle was first sent", "replicator/replicator.go",
		"FirstSent: m.FirstSent, Attempt",
		"Attempt"},
	{"a re-send with a new receive time", "processor/settle.go",
		"Outgoing: queue.Outgoing{Body: m.bundle.With(lines...), FirstSent: m.FirstSent, Attempt: t.attempt, Delay: t.delay},",
		"Outgoing: queue.Outgoing{Body: m.bundle.With(lines...), Attempt: t.attempt, Delay: t.delay},"},
	{"duplicates told by source and Message ID only", "ingestor/dedup.go",
		"	h.Write(datagram)\n",
		""},
	{"done called twice", "queue/sender.go",
		"		report.done(err)\n",
		"		report.done(err)\n		report.done(err)\n"},
	{"fallback acknowledges before confirmation", "queue/route.go",
		"			call(c.second, rest)\n",
		"			call(c.second, rest)\n			for _, i := range rest {\n				d.end(i, c.second, nil)\n			}\n"},
	{"fallback signs for its own region", "queue/client.go",
		"	cfg.Region = region\n",
		""},
	{"a re-send that no queue has confirmed counts as sent", "processor/settle.go",
		"			parcels[i].message.failed = true\n			s.note(err)\n",
		"			s.note(err)\n"},
	{"a report that AWS IoT has not published is applied all the same", "processor/publish.go",
		"			settleAll(ctx, reports[i:], err)\n			return out\n",
		"			return reports\n"},
	{"tombstones forgotten", "processor/keys.go",
		"if f.present() && f.key == newest {",
		"if !f.present() || f.key == newest {"},
	{"every duplicate is written again", "processor/merge.go",
		"	return changed, nil\n",
		"	return true, nil\n"},
	{"a value is set again by the same key", "processor/merge.go",
		"if compare(k, before) > 0 {",
		"if compare(k, before) >= 0 {"},
	{"each letter is sent twice", "processor/settle.go",
		"		parcels = append(parcels, m.grave(body, r.why))\n",
		"		parcels = append(parcels, m.grave(body, r.why), m.grave(body, r.why))\n"},
	{"desired is cleared", "processor/patch.go",
		`"state":   map[string]any{"reported": reported}`,
		`"state":   map[string]any{"reported": reported, "desired": nil}`},
	{"a shadow for what the registry refuses", "processor/thing.go",
		"	kind, err := p.register(ctx, thing, reports)\n",
		"	p.iot.updateShadow(ctx, thing, []byte(firstWrite))\n	kind, err := p.register(ctx, thing, reports)\n"},
	{"a container forgets nothing", "processor/cache.go",
		"for c.bytes > c.maxBytes {",
		"for false {"},
	{"a failed exchange counts as stored", "ingestor/dedup.go",
		"		*entry = 0\n	}\n}\n\n// sweep",
		"		*entry = *entry&^3 | uint64(stored)\n	}\n}\n\n// sweep"},
}

// Each mutation is caught within 200 worlds, and most within the first.
func TestMutations(t *testing.T) {
	if os.Getenv("MUTATIONS") == "" {
		t.Skip("takes minutes: make mutations")
	}
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			path, err := filepath.Abs(filepath.Join("../..", m.file))
			if err != nil {
				t.Fatal(err)
			}
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), m.old); n != 1 {
				t.Fatalf("%s holds %d times %q", m.file, n, m.old)
			}
			broken := filepath.Join(t.TempDir(), "broken.go")
			if err := os.WriteFile(broken, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: broken}})
			if err != nil {
				t.Fatal(err)
			}
			list := filepath.Join(t.TempDir(), "overlay.json")
			if err := os.WriteFile(list, overlay, 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("go", "test", "-overlay", list, "-vet=off", "-timeout", "10m", "-run", "TestWorld", ".", "-seeds", "200", "-quick").CombinedOutput()
			if err == nil {
				t.Fatalf("200 worlds have not noticed:\n%s", out)
			}
			found := regexp.MustCompile(`seed \d+, {.*\n +(.*)|(?:panic|fatal error): (.*)`).FindSubmatch(out)
			if found == nil || bytes.HasPrefix(found[2], []byte("test timed out")) {
				t.Fatalf("it failed, but not for what the world does:\n%s", out)
			}
			t.Logf("caught: %s%s", found[1], found[2])
		})
	}
}
