package queue

import (
	"bytes"
	"testing"
	"time"
)

// A bundle has the room that the one before has used: a busy sender soon grows none, and an
// idle one is soon small again.
func TestRoom(t *testing.T) {
	line, header := bytes.Repeat([]byte("x"), 200), []byte("header")
	at := leastRoom
	for _, step := range []struct {
		reports int
		want    room // of the bundle after that
	}{
		{1, leastRoom},
		{10, room{2 << 10, 16}},
		{10, room{2 << 10, 16}},
		{300, room{64 << 10, 512}},
		{300, room{64 << 10, 512}},
		{4, room{32 << 10, 256}}, // the open one that goes with full ones
		{300, room{64 << 10, 512}},
		{1, room{32 << 10, 256}},
		{1, room{16 << 10, 128}},
		{1, room{8 << 10, 64}},
		{1, room{4 << 10, 32}},
		{1, room{2 << 10, 16}},
		{1, leastRoom},
		{1, leastRoom},
	} {
		b := newBundle(at, header, time.Time{})
		for range step.reports {
			b.add(line, nil)
		}
		if at = b.next(); at != step.want {
			t.Errorf("after %d reports: %+v, want %+v", step.reports, at, step.want)
		}
	}
}
