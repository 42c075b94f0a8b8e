package ingestor

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/udp"
)

const changed = "ACK 2.04 mid=0001 token=a1b2"

// A CON hears nothing until SQS has confirmed, then a piggybacked 2.04 (RFC 7252,
// section 5.2.1).
func TestAckOnlyWhenStored(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		begun := time.Now()
		w.device.send(con(1, "th/a1?s=1f4&fw=2", `{"t":21.5}`))
		time.Sleep(20*time.Millisecond - 1)
		w.device.expect(t, "before the store")
		time.Sleep(time.Millisecond)
		got := w.device.take()
		if len(got) != 1 || got[0].text != changed || got[0].at.Sub(begun) != 20*time.Millisecond {
			t.Fatalf("got %v", got)
		}
		want := envelope.Report{
			Received: begun.UnixMilli(), From: home, Confirmable: true, MessageID: 1, Token: []byte{0xa1, 0xb2},
			Type: "th", ID: "a1", Query: "fw=2", Seq: 0x1f4, Numbered: true, Format: 50, Payload: []byte(`{"t":21.5}`),
		}
		if reports := w.sqs.reports(t); len(reports) != 1 || fmt.Sprint(reports[0]) != fmt.Sprint(want) {
			t.Errorf("stored %+v, want %+v", reports, want)
		}
		for _, name := range []string{"coap_received_total", "coap_accepted_total", "coap_stored_total", "coap_acked_total"} {
			if n := w.counter(name, ""); n != 1 {
				t.Errorf("%s is %v, want 1", name, n)
			}
		}
	})
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name     string
		datagram []byte
		want     []string
		stored   int
	}{
		{"a NON is answered by a NON (RFC 7252, section 5.2.3)", non(1, "th/a1", "x"), []string{"NON 2.04 token=a1b2"}, 1},
		{"PUT is as good as POST", request(message.Confirmable, codes.PUT, 1, "th/a1", "x"), []string{changed}, 1},
		{"no payload", con(1, "th/a1", ""), []string{changed}, 1},
		{"No-Response, NON: nothing (RFC 7967, section 2)", non(1, "th/a1!\x02", "x"), nil, 1},
		{"No-Response, CON: an empty ACK", con(1, "th/a1!\x02", "x"), []string{"ACK 0.00 mid=0001"}, 1},
		{"No-Response, CON, refused: what a NON is not told", con(1, "th!\x1a", "x"), []string{"ACK 4.04 mid=0001 token=a1b2"}, 0},
		{"No-Response, NON, refused", non(1, "th!\x1a", "x"), nil, 0},
		{"core", request(message.Confirmable, codes.GET, 1, ".well-known/core", ""), []string{"ACK 2.05 mid=0001 token=a1b2 ContentFormat=28"}, 0},
		{"health", request(message.Confirmable, codes.GET, 1, "health", ""), []string{"ACK 2.05 mid=0001 token=a1b2"}, 0},
		{"POST to health", con(1, "health", "x"), []string{"ACK 4.05 mid=0001 token=a1b2"}, 0},
		{"GET of a device", request(message.Confirmable, codes.GET, 1, "th/a1", ""), []string{"ACK 4.05 mid=0001 token=a1b2"}, 0},
		{"DELETE of a device", request(message.Confirmable, codes.DELETE, 1, "th/a1", ""), []string{"ACK 4.05 mid=0001 token=a1b2"}, 0},
		{"one segment", con(1, "th", "x"), []string{"ACK 4.04 mid=0001 token=a1b2"}, 0},
		{"three segments", con(1, "th/a1/x", "x"), []string{"ACK 4.04 mid=0001 token=a1b2"}, 0},
		{"an empty name", con(1, "th/", "x"), []string{"ACK 4.04 mid=0001 token=a1b2"}, 0},
		{"a name with a blank", con(1, "th/a 1", "x"), []string{"ACK 4.04 mid=0001 token=a1b2"}, 0},
		{"a name that is too long", con(1, "th/"+strings.Repeat("a", 129), "x"), []string{"ACK 4.04 mid=0001 token=a1b2"}, 0},
		{"a name as long as can be", con(1, "th/"+strings.Repeat("a", 128), "x"), []string{changed}, 1},
		{"a type that is not allowed", con(1, "door/a1", "x"), []string{"ACK 4.04 mid=0001 token=a1b2"}, 0},
		{"a number that is none", con(1, "th/a1?s=x", "x"), []string{"ACK 4.00 mid=0001 token=a1b2"}, 0},
		{"a ping (RFC 7252, section 4.3)", []byte{0x40, 0, 0, 1}, []string{"RST 0.00 mid=0001"}, 0},
		{"an ACK", []byte{0x60, 0, 0, 1}, nil, 0},
		{"a RST", []byte{0x70, 0, 0, 1}, nil, 0},
		{"too long", con(1, "th/a1", strings.Repeat("x", 1200)), []string{"ACK 4.13 mid=0001 token=a1b2 Size1=0400"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(c *Config) { c.AllowedTypes = []string{"th", "meter"} }, func(w *world) {
				w.device.send(tt.datagram)
				time.Sleep(time.Second)
				w.device.expect(t, "answer", tt.want...)
				if n := len(w.sqs.reports(t)); n != tt.stored {
					t.Errorf("%d reports stored, want %d", n, tt.stored)
				}
			})
		})
	}
}

// Whatever keeps SQS from confirming, the device hears 5.03 with Max-Age within 700 ms
// and is free to go to its next endpoint (RFC 7252, section 5.9.3.4).
func TestFastNo(t *testing.T) {
	down := errors.New("connection refused")
	for _, tt := range []struct {
		name   string
		change func(*fakeSQS)
		after  time.Duration
		stored int
		want   string
	}{
		{"SQS hangs", func(f *fakeSQS) { f.delay = time.Hour }, 700 * time.Millisecond, 0, "ACK 5.03 mid=0001 token=a1b2 Max-Age"},
		{"SQS is down", func(f *fakeSQS) { f.before = down }, 20 * time.Millisecond, 0, "ACK 5.03 mid=0001 token=a1b2 Max-Age"},
		{"SQS stores and the answer is lost", func(f *fakeSQS) { f.after = down }, 20 * time.Millisecond, 1, "ACK 5.03 mid=0001 token=a1b2 Max-Age"},
		{"SQS is slower than the deadline", func(f *fakeSQS) { f.delay = 701 * time.Millisecond }, 700 * time.Millisecond, 0, "ACK 5.03 mid=0001 token=a1b2 Max-Age"},
		{"SQS is just fast enough", func(f *fakeSQS) { f.delay = 699 * time.Millisecond }, 699 * time.Millisecond, 1, changed},
		{"SQS refuses the content: do not repeat", func(f *fakeSQS) { f.refuse = "x" }, 20 * time.Millisecond, 0, "ACK 4.00 mid=0001 token=a1b2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				w.sqs.set(tt.change)
				begun := time.Now()
				w.device.send(con(1, "th/a1", "x"))
				time.Sleep(2 * time.Second)
				got := w.device.take()
				if len(got) != 1 || got[0].text != tt.want || got[0].at.Sub(begun) != tt.after {
					t.Errorf("got %v, want %q after %v", got, tt.want, tt.after)
				}
				if n := len(w.sqs.reports(t)); n != tt.stored {
					t.Errorf("%d reports stored, want %d", n, tt.stored)
				}
			})
		})
	}
}

// No-Response does not turn a failure into an empty ACK, which is what a stored report gets.
func TestFailureIsNotAcknowledged(t *testing.T) {
	for _, mask := range []string{"\x10", "\x1a"} {
		for _, tt := range []struct {
			name   string
			config func(*Config)
			before func(*world)
		}{
			{"SQS is down", nil, func(w *world) { w.sqs.set(func(f *fakeSQS) { f.before = errors.New("down") }) }},
			{"SQS hangs", nil, func(w *world) { w.sqs.set(func(f *fakeSQS) { f.delay = time.Hour }) }},
			{"no clock", func(c *Config) { c.RequireClock, c.Clock.Synchronised = true, func() bool { return false } }, func(*world) {}},
			{"stopping", nil, func(w *world) {
				w.sqs.set(func(f *fakeSQS) { f.delay = 500 * time.Millisecond })
				w.device.send(con(9, "th/a1!\x1a", "taken"))
				synctest.Wait()
				w.stop()
				synctest.Wait()
			}},
		} {
			t.Run(fmt.Sprintf("%s, mask %x", tt.name, mask), func(t *testing.T) {
				inWorld(t, tt.config, func(w *world) {
					tt.before(w)
					w.device.send(con(1, "th/a1!"+mask, "x"))
					w.device.send(non(2, "th/a1!"+mask, "x"))
					time.Sleep(2 * time.Second)
					var got []string
					for _, a := range w.device.take() {
						if a.text != "ACK 0.00 mid=0009" {
							got = append(got, a.text)
						}
					}
					if !slices.Equal(got, []string{"ACK 5.03 mid=0001 token=a1b2 Max-Age"}) {
						t.Errorf("got %q, want 5.03 for the CON and silence for the NON", got)
					}
				})
			})
		}
	}
}

// Max-Age is spread so that a fleet does not come back in step.
func TestMaxAgeIsSpread(t *testing.T) {
	least, most := uint32(1<<31), uint32(0)
	for range 10_000 {
		age := unavailable().MaxAge
		least, most = min(least, age), max(most, age)
	}
	if least != 22 || most != 37 {
		t.Errorf("Max-Age from %d to %d, want 30 s give or take a quarter", least, most)
	}
}

// What the sender has no room for is refused at once and forgotten at once.
func TestFullSender(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.sqs.set(func(f *fakeSQS) { f.delay = time.Hour })
		payload := strings.Repeat("x", 1100)
		var refused []answer
		mid := uint16(0)
		for ; len(refused) == 0 && mid < 20_000; mid++ {
			w.device.send(con(mid, "th/a1", payload))
			refused = w.device.take()
		}
		if len(refused) != 1 || !strings.HasPrefix(refused[0].text, "ACK 5.03") || !strings.HasSuffix(refused[0].text, "Max-Age") {
			t.Fatalf("after %d reports: %v", mid, refused)
		}
		last := con(mid-1, "th/a1", payload)
		w.device.send(last)
		if again := w.device.take(); len(again) != 1 {
			t.Errorf("a retransmission hears %v", again)
		}
		time.Sleep(time.Second)
		w.device.take()
		w.sqs.set(func(f *fakeSQS) { f.delay = 0 })
		w.device.send(last)
		time.Sleep(time.Second)
		if got := w.device.take(); len(got) != 1 || !strings.HasPrefix(got[0].text, "ACK 2.04") {
			t.Errorf("when there is room again: %v", got)
		}
	})
}

func TestForgedSources(t *testing.T) {
	inWorld(t, func(c *Config) { c.IgnoreSources = []netip.Addr{other.Addr()} }, func(w *world) {
		l := w.in.listeners[0]
		to := endpoint.Addr()
		for i, p := range []udp.Packet{
			{Peer: netip.MustParseAddrPort("192.0.2.1:0"), Local: to},
			{Peer: netip.MustParseAddrPort("224.0.1.187:5683"), Local: to},
			{Peer: netip.MustParseAddrPort("255.255.255.255:5683"), Local: to},
			{Peer: netip.MustParseAddrPort("0.0.0.0:5683"), Local: to},
			{Peer: netip.MustParseAddrPort("[ff02::fd]:5683"), Local: to},
			{Peer: netip.MustParseAddrPort("[::]:5683"), Local: to},
			{Peer: other, Local: to},
			{Peer: home, Local: netip.MustParseAddr("224.0.1.187")},
			{Peer: home, Local: netip.MustParseAddr("ff02::fd")},
			{Peer: home, Local: netip.MustParseAddr("255.255.255.255")},
		} {
			p.Buf = con(uint16(i), "th", "x") // would be refused at once
			l.handle(&p, time.Now(), 0)
			p.Buf = con(uint16(i), "th/a1", "x")
			l.handle(&p, time.Now(), 0)
			if len(l.out.packets) != 0 {
				t.Errorf("from %s to %s is answered", p.Peer, p.Local)
			}
			l.out.reset()
		}
		time.Sleep(time.Second)
		if got := w.sqs.payloads(t); len(got) != 0 {
			t.Errorf("stored %q", got)
		}
		if n := w.counter("coap_refused_total", "source"); n != 20 {
			t.Errorf("%v counted, want 20", n)
		}
	})
}

// Many at once: every report is stored once and acknowledged once.
func TestFleet(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		const devices, each = 50, 40
		var fleet []*device
		for i := range devices {
			d := w.listen(netip.AddrPortFrom(home.Addr(), uint16(41000+i)))
			defer d.socket.Close()
			fleet = append(fleet, d)
		}
		for mid := range uint16(each) {
			for i, d := range fleet {
				d.send(con(mid, fmt.Sprint("th/d", i), fmt.Sprint(i, "-", mid)))
			}
			time.Sleep(3 * time.Millisecond)
		}
		time.Sleep(time.Second)
		for i, d := range fleet {
			got := d.take()
			if len(got) != each {
				t.Errorf("device %d heard %d answers, want %d", i, len(got), each)
			}
			for _, a := range got {
				if !strings.HasPrefix(a.text, "ACK 2.04") {
					t.Errorf("device %d heard %s", i, a.text)
				}
			}
		}
		got := w.sqs.payloads(t)
		if n := len(slices.Compact(slices.Clone(got))); n != devices*each || len(got) != n {
			t.Errorf("%d reports stored, want %d", len(got), devices*each)
		}
	})
}
