package lab

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Plan returns what this lab is.
func (l *Lab) Plan() Plan { return l.plan }

// Addresses returns where the ingestors listen, in firmware order.
func (l *Lab) Addresses() []netip.AddrPort {
	var addrs []netip.AddrPort
	for _, in := range l.plan.Ingestors {
		addrs = append(addrs, in.CoAP)
	}
	return addrs
}

// Kill ends a child as kill -9 does, and returns when it is dead: an ingestor or "aws",
// which is started again at once; a container ("processor/1") or all containers of a
// function ("processor"), which are replaced when there is work.
func (l *Lab) Kill(name string) error {
	if s, ok := l.children[name]; ok {
		if !s.kill() {
			return fmt.Errorf("kill %s: it does not run", name)
		}
		return nil
	}
	function, number, _ := strings.Cut(name, "/")
	n := 0
	if number != "" {
		if _, err := fmt.Sscanf(number, "%d", &n); err != nil || n < 1 {
			return fmt.Errorf("kill %s: a container's name is such as processor/1", name)
		}
	}
	m, ok := l.mappings[function]
	if !ok {
		return l.unknown("kill", name)
	}
	if m.lambda.kill(n) == 0 {
		return fmt.Errorf("kill %s: no container runs", name)
	}
	return nil
}

// Stop stops an ingestor or "aws", which drains, and returns when it has ended. It stays
// down until Restart.
func (l *Lab) Stop(ctx context.Context, name string) error {
	s, ok := l.children[name]
	if !ok {
		return l.unknown("stop", name)
	}
	return s.halt(ctx)
}

// Restart starts an ingestor or "aws", stops it before if it runs, and returns when it is
// ready. The local AWS has empty queues then, and no things.
func (l *Lab) Restart(ctx context.Context, name string) error {
	s, ok := l.children[name]
	if !ok {
		return l.unknown("restart", name)
	}
	return s.resume(ctx)
}

// Ready waits until an ingestor or "aws" does its work, after a Kill for instance.
func (l *Lab) Ready(ctx context.Context, name string) error {
	s, ok := l.children[name]
	if !ok {
		return l.unknown("wait for", name)
	}
	return s.waitUp(ctx)
}

// Pause stops the polling for a function ("processor", "replicator") and returns when the
// batches it had are settled. What comes then stays in its queue until Resume.
func (l *Lab) Pause(function string) error {
	m, ok := l.mappings[function]
	if !ok {
		return l.unknown("pause", function)
	}
	m.pause()
	return nil
}

// Resume starts the polling for a function again.
func (l *Lab) Resume(function string) error {
	m, ok := l.mappings[function]
	if !ok {
		return l.unknown("resume", function)
	}
	m.resume()
	return nil
}

// unknown is the error for a name that does not fit what is to be done.
func (l *Lab) unknown(doing, name string) error {
	var names []string
	switch doing {
	case "pause", "resume":
		for name := range l.mappings {
			names = append(names, name)
		}
	case "kill":
		for name := range l.mappings {
			names = append(names, name)
		}
		fallthrough
	default:
		for name := range l.children {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return fmt.Errorf("%s %q: there is only %s", doing, name, strings.Join(names, ", "))
}
