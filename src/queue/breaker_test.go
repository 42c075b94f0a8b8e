package queue

import (
	"fmt"
	"testing"
	"time"
)

func TestBreaker(t *testing.T) {
	now := time.Unix(1, 0)
	var b breaker
	for i, step := range []struct {
		after   time.Duration
		works   bool
		changed bool
		open    bool
	}{
		{0, false, false, false},
		{0, false, false, false},
		{0, true, false, false}, // one that works: the row begins anew
		{0, false, false, false},
		{0, false, false, false},
		{0, false, true, true},
		{time.Hour, false, false, true}, // is news to nobody
		{0, true, true, false},
		{0, false, false, false},
	} {
		now = now.Add(step.after)
		if changed := b.report(step.works, now); changed != step.changed || b.open() != step.open {
			t.Errorf("step %d: changed %v, open %v, want %v and %v", i, changed, b.open(), step.changed, step.open)
		}
	}
}

// A breaker that has just opened waits for its first probe as long as for each later one.
func TestFirstProbe(t *testing.T) {
	now := time.Unix(1000, 0)
	var b breaker
	for range openAfter {
		now = now.Add(time.Hour)
		b.report(false, now)
	}
	for _, step := range []struct {
		after time.Duration
		due   bool
	}{
		{0, false},
		{probeEvery - 1, false},
		{1, true},
		{0, false},
		{probeEvery, true},
	} {
		now = now.Add(step.after)
		if due := b.probe(now); due != step.due {
			t.Errorf("%v after it opened a probe is due: %v", now.Sub(time.Unix(1000, 0).Add(openAfter*time.Hour)), due)
		}
	}
}

func TestChoose(t *testing.T) {
	now := time.Unix(1000, 0)
	closed := breaker{misses: openAfter - 1}
	open := breaker{misses: openAfter, probed: now.Add(-probeEvery + 1)}
	due := breaker{misses: openAfter, probed: now.Add(-probeEvery)}
	for _, tt := range []struct {
		name          string
		own, fallback breaker
		want          choice
	}{
		{"both work", closed, closed, choice{first: own, second: fallback}},
		{"own is down", open, closed, choice{first: fallback, second: none}},
		{"own is down and due for a probe", due, closed, choice{first: fallback, second: none, probes: []int{own}}},
		{"the fallback is down", closed, open, choice{first: own, second: none}},
		{"the fallback is down and due for a probe", closed, due, choice{first: own, second: none, probes: []int{fallback}}},
		{"both are down", open, open, choice{first: none, second: none}},
		{"both are down, one is due", open, due, choice{first: none, second: none, probes: []int{fallback}}},
		{"both are down and due", due, due, choice{first: none, second: none, probes: []int{own, fallback}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			breakers := [2]breaker{tt.own, tt.fallback}
			if got := choose(&breakers, now); fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if again := choose(&breakers, now); len(again.probes) != 0 {
				t.Errorf("a second load at the same time probes %v", again.probes)
			}
		})
	}
}

func TestRegionOf(t *testing.T) {
	for url, want := range map[string]string{
		"https://sqs.eu-west-1.amazonaws.com/123456789012/coap-reports":        "eu-west-1",
		"https://sqs.us-gov-west-1.amazonaws.com/123456789012/coap-reports":    "us-gov-west-1",
		"https://sqs.cn-north-1.amazonaws.com.cn/123456789012/coap-reports":    "cn-north-1",
		"http://127.0.0.1:4566/eu-west-1/000000000000/coap-reports":            "eu-west-1",
		"http://127.0.0.1:4566/000000000000/coap-reports":                      "",
		"https://queue.amazonaws.com/123456789012/coap-reports":                "",
		"https://sqs.eu-west-1.example.com/123456789012/coap-reports":          "",
		"https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/123456789012/reports": "",
		"": "",
	} {
		if got := RegionOf(url); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}
