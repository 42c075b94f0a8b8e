package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/coap"
	"coap-for-aws-iot/src/device"
	"coap-for-aws-iot/src/udp"
)

func TestDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.Memory = &memory{}
		w.answer(stores(300 * time.Millisecond))
		c := w.client()
		if wait := c.BootWait(); wait <= 0 || wait > 600*time.Second {
			t.Errorf("a cold boot waits %v", wait)
		}
		r := w.send(c, `{"t":21.5}`, device.Delivered)
		w.expect(`0: CON POST th/a1 50 "{\"t\":21.5}" s=1`)
		if len(r.Attempts) != 1 || r.Attempts[0].Endpoint != w.config.Endpoints[0] || r.Attempts[0].Answer == nil {
			t.Fatalf("attempts %+v", r.Attempts)
		}
		a := r.Attempts[0].Answer
		if a.Code != codes.Changed || a.RoundTrip != 300*time.Millisecond || a.MaxAge != nil || a.Reset {
			t.Errorf("answer %+v", a)
		}
		if r.Window != time.Second || r.Awake != 300*time.Millisecond || r.Unproven != 0 || r.Seq != 1 || !r.Numbered {
			t.Errorf("result %+v", r)
		}
		if r.Sleep < 3150*time.Second || r.Sleep > 4050*time.Second {
			t.Errorf("sleeps %v", r.Sleep)
		}
		if got := c.State(); got.RoundTrip != 5 || got.Pending {
			t.Errorf("state %+v", got)
		}
		w.send(c, `{"t":22}`, device.Delivered)
		w.expect(`1: CON POST th/a1 50 "{\"t\":22}" s=2`)
	})
}

func TestSilenceThenTheSameBytesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.Memory = &memory{}
		c := w.client()
		payload := []byte("first")
		r, err := c.Send(context.Background(), payload, NoFormat, false)
		if err != nil || r.Outcome != device.Unverified || r.Awake != time.Second || r.Unproven != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		copy(payload, "FIRST") // it was copied
		w.answer(stores(400 * time.Millisecond))
		r, err = c.Resend(context.Background(), false)
		if err != nil || r.Outcome != device.Delivered || r.Seq != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		heard := w.expect(`0: CON POST th/a1 -1 "first" s=1`, `1: CON POST th/a1 -1 "first" s=1`)
		if bytes.Equal(heard[0].datagram[:8], heard[1].datagram[:8]) || !bytes.Equal(heard[0].datagram[8:], heard[1].datagram[8:]) {
			t.Errorf("%x\n%x", heard[0].datagram, heard[1].datagram)
		}
		r, err = c.Resend(context.Background(), true)
		if err != nil || r.Outcome != device.Held {
			t.Fatalf("with nothing to say: %+v, %v", r, err)
		}
		w.expect()
	})
}

func TestNoGoesToTheNextAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.answer(responds(750*time.Millisecond, coap.Response{Code: codes.ServiceUnavailable, MaxAge: 120}), 0)
		w.answer(func(r coap.Request, _ []byte) ([][]byte, time.Duration) {
			return [][]byte{coap.AppendReset(nil, r.MessageID)}, 50 * time.Millisecond
		}, 1)
		w.answer(stores(200*time.Millisecond), 2, 3)
		c := w.client()
		r := w.send(c, "x", device.Delivered)
		w.expect(`0: CON POST th/a1 50 "x"`, `1: CON POST th/a1 50 "x"`, `2: CON POST th/a1 50 "x"`)
		if r.Numbered || r.Awake != time.Second {
			t.Errorf("result %+v", r)
		}
		if age := r.Attempts[0].Answer.MaxAge; age == nil || *age != 2*time.Minute || !r.Attempts[1].Answer.Reset {
			t.Errorf("attempts %s", r)
		}
		want := "delivered: CON to 192.0.2.1:5683, 5.03 after 750ms (Max-Age 2m0s); CON to 192.0.2.2:5683, RST after 50ms; " +
			"CON to 192.0.2.3:5683, 2.04 after 200ms; window 1s, awake 1s; sleep "
		if !strings.HasPrefix(r.String(), want) {
			t.Errorf("%s", r)
		}
	})
}

func TestEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		value := bytes.Repeat([]byte{7}, 40)
		asked := 0
		w.answer(func(r coap.Request, datagram []byte) ([][]byte, time.Duration) {
			if bytes.Contains(datagram, value) {
				return [][]byte{r.Append(nil, 0, coap.Response{Code: codes.Changed})}, 0
			}
			asked++
			b := coap.AppendHeader(nil, message.Acknowledgement, codes.Unauthorized, r.MessageID, r.Token())
			return [][]byte{coap.AppendOption(b, 0, echoOption, value)}, 0
		})
		c := w.client()
		r := w.send(c, "x", device.Delivered)
		if asked != 1 || len(r.Attempts) != 2 || !r.Attempts[1].Echo || r.Attempts[0].MessageID == r.Attempts[1].MessageID {
			t.Errorf("asked %d times: %+v", asked, r)
		}
		w.expect(`0: CON POST th/a1 50 "x"`, fmt.Sprintf(`0: CON POST th/a1 50 "x" echo=%x`, value))
	})
}

// TestSameBytes: a repeat is the same datagram, whatever a stranger says in between.
func TestSameBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.Endpoints = w.config.Endpoints[:1]
		w.config.Policy.WindowMin = 8000
		w.config.Memory = &memory{}
		asked := false
		w.answer(func(r coap.Request, _ []byte) ([][]byte, time.Duration) {
			challenge := func(token []byte, value string) []byte {
				b := coap.AppendHeader(nil, message.Acknowledgement, codes.Unauthorized, r.MessageID, token)
				return coap.AppendOption(b, 0, echoOption, value)
			}
			if asked {
				return [][]byte{challenge([]byte("else"), "forged")}, time.Second
			}
			asked = true
			return [][]byte{challenge(r.Token(), "fresh")}, time.Second
		})
		w.send(w.client(), "x", device.Unverified)
		heard := w.expect(`0: CON POST th/a1 50 "x" s=1`, `0: CON POST th/a1 50 "x" s=1 echo=6672657368`,
			`0: CON POST th/a1 50 "x" s=1 echo=6672657368`)
		if !bytes.Equal(heard[1].datagram, heard[2].datagram) {
			t.Errorf("%x\n%x", heard[1].datagram, heard[2].datagram)
		}
	})
}

func TestHardLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.Policy.HardLimit = 14400
		w.config.Memory = &memory{}
		w.answer(stores(0))
		c := w.client()
		w.send(c, "1", device.Delivered)
		time.Sleep(time.Hour)
		r := w.send(c, "2", device.Sent)
		if r.Window != 0 || r.Awake != 0 || r.Unproven != 1 {
			t.Errorf("%+v", r)
		}
		time.Sleep(4 * time.Hour)
		w.send(c, "3", device.Delivered)
		r, err := c.Send(context.Background(), []byte("4"), 50, true)
		if err != nil || r.Outcome != device.Delivered {
			t.Errorf("urgent: %s, %v", r, err)
		}
		synctest.Wait()
		w.expect(`0: CON POST th/a1 50 "1" s=1`, `1: NON POST th/a1 50 "2" s=2 no-response=26`,
			`2: CON POST th/a1 50 "3" s=3`, `3: CON POST th/a1 50 "4" s=4`)
	})
}

// TestSeparateResponse: a CON is acknowledged, and one that we know nothing of is reset.
func TestSeparateResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.answer(separate)
		c := w.client()
		r := w.send(c, "x", device.Delivered)
		if r.Attempts[0].Answer.Code != codes.Changed {
			t.Errorf("%s", r)
		}
		synctest.Wait()
		if heard := w.heard(); len(heard) != 2 || !bytes.Equal(heard[1].datagram, []byte{0x60, 0, 0x77, 0x77}) {
			t.Errorf("%+v", heard)
		}
		w.answer(func(r coap.Request, _ []byte) ([][]byte, time.Duration) {
			return [][]byte{{0x40, 0, 1, 2}}, 0 // a ping
		})
		w.send(c, "x", device.Unverified)
		if heard := w.heard(); len(heard) != 2 || !bytes.Equal(heard[1].datagram, []byte{0x70, 0, 1, 2}) {
			t.Errorf("%+v", heard)
		}
	})
}

// TestWhatIsNoReply: malformed, too long, with a critical option, or from a stranger.
func TestWhatIsNoReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stranger, err := w.network.Listen(netip.MustParseAddrPort("192.0.2.99:5683"))
		if err != nil {
			t.Fatal(err)
		}
		defer stranger.Close()
		w.answer(func(r coap.Request, _ []byte) ([][]byte, time.Duration) {
			good := r.Append(nil, 0, coap.Response{Code: codes.Changed})
			peer := w.received[len(w.received)-1].from
			stranger.WriteBatch([]udp.Packet{{Buf: good, Peer: peer}})
			return [][]byte{
				good[:3],
				append(bytes.Clone(good), 0xff),
				append(bytes.Clone(good), 0xf0),
				append([]byte{0x80 | good[0]&0x3f}, good[1:]...),
				coap.AppendOption(bytes.Clone(good), 0, message.URIHost, "x"),
				append(append(bytes.Clone(good), 0xff), make([]byte, 1200)...),
			}, 10 * time.Millisecond
		})
		c := w.client()
		r := w.send(c, "x", device.Unverified)
		if r.Attempts[0].Answer != nil {
			t.Errorf("%s", r)
		}
	})
}

func TestParseReplyOptions(t *testing.T) {
	b := coap.AppendHeader(nil, message.Acknowledgement, codes.ServiceUnavailable, 1, []byte{1, 2, 3, 4})
	b = coap.AppendOption(b, 0, message.MaxAge, []byte{0, 1, 0})
	b = coap.AppendOption(b, message.MaxAge, message.MaxAge, []byte{9})
	b = coap.AppendOption(b, message.MaxAge, echoOption, make([]byte, 41))
	r, echo, ok := parseReply(b, 2)
	if !ok || r.From != 2 || !r.HasMaxAge || r.MaxAge != 256 || r.HasEcho || echo != nil || r.TokenLen != 4 {
		t.Errorf("%+v %x %t", r, echo, ok)
	}
}

func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.Memory = &memory{}
		c := w.client()
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if _, err := c.Send(ctx, []byte("1"), 50, false); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if _, err := c.Send(ctx, []byte("2"), 50, false); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		w.answer(stores(0))
		w.send(c, "3", device.Delivered)
		w.expect(`0: CON POST th/a1 50 "1" s=1`, `2: CON POST th/a1 50 "3" s=3`)
	})
}

func TestBrokenSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		open := w.config.Open
		broken := errors.New("no such device")
		w.config.Open = func(context.Context) (udp.Socket, error) { return nil, broken }
		if _, err := w.client().Send(context.Background(), nil, 50, false); !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
		w.config.Open = func(ctx context.Context) (udp.Socket, error) {
			s, err := open(ctx)
			time.AfterFunc(time.Millisecond, func() { s.(*countedSocket).Socket.Close() })
			return s, err
		}
		if _, err := w.client().Send(context.Background(), nil, 50, false); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v", err)
		}
		w.config.Open = func(ctx context.Context) (udp.Socket, error) {
			s, err := open(ctx)
			return refusing{s}, err
		}
		r := w.send(w.client(), "x", device.Held)
		if !strings.Contains(r.String(), "not sent: this system refused it") {
			t.Errorf("%s", r)
		}
	})
}

// TestRoundTripFromBeforeTheSend: an answer that is there when the send returns has taken
// time all the same.
func TestRoundTripFromBeforeTheSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		open := w.config.Open
		w.config.Open = func(ctx context.Context) (udp.Socket, error) {
			s, err := open(ctx)
			return slow{s}, err
		}
		w.answer(stores(20 * time.Millisecond))
		a := w.send(w.client(), "x", device.Delivered).Attempts[0]
		if a.At != 0 || a.Answer.RoundTrip != 50*time.Millisecond {
			t.Errorf("sent after %v, answered after %v", a.At, a.Answer.RoundTrip)
		}
	})
}

// slow is a socket whose calls return late.
type slow struct{ udp.Socket }

func (s slow) WriteBatch(packets []udp.Packet) (int, error) {
	n, err := s.Socket.WriteBatch(packets)
	time.Sleep(50 * time.Millisecond)
	return n, err
}

// refusing is a socket without a network.
type refusing struct{ udp.Socket }

func (refusing) WriteBatch([]udp.Packet) (int, error) { return 0, nil }

func TestConfig(t *testing.T) {
	good := Config{Endpoints: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:5683")}, Type: "th", ID: "a:1_b-2"}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"1 to 4 endpoints, not 0": func(c *Config) { c.Endpoints = nil },
		"1 to 4 endpoints, not 5": func(c *Config) { c.Endpoints = make([]netip.AddrPort, 5) },
		"comes twice":             func(c *Config) { c.Endpoints = append(c.Endpoints, netip.MustParseAddrPort("[::ffff:127.0.0.1]:5683")) },
		"want address:port":       func(c *Config) { c.Endpoints = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")} },
		"device /a:1_b-2":         func(c *Config) { c.Type = "" },
		"device th/a b":           func(c *Config) { c.ID = "a b" },
	} {
		c := good
		spoil(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, _ := New(good)
	if _, err := c.Send(context.Background(), make([]byte, 1025), 50, false); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	good.Type, good.ID = strings.Repeat("t", 128), strings.Repeat("i", 128)
	c, _ = New(good)
	if _, err := c.Send(context.Background(), make([]byte, 1000), 50, false); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

// TestOverhead: no datagram is longer than overhead says.
func TestOverhead(t *testing.T) {
	for _, name := range []string{"x", strings.Repeat("x", 12), strings.Repeat("x", 13), strings.Repeat("x", 128)} {
		c := &Client{config: Config{Type: name, ID: name}, memory: &numbers{}, pending: report{[]byte("p"), 65535}}
		out := device.Output{Echo: true, NoResponse: true, Seq: 1<<32 - 1}
		if got := len(c.appendRequest(nil, &out, make([]byte, maxEcho))); got > c.overhead()+1 {
			t.Errorf("%d bytes, overhead %d", got, c.overhead())
		}
	}
}

// TestDeadEndpoints: what docs/device.md promises, through the whole client.
func TestDeadEndpoints(t *testing.T) {
	for _, test := range []struct {
		name  string
		alive []int
		after time.Duration
		most  int
	}{
		{"region dead", []int{1, 3}, 300 * time.Millisecond, 4},
		{"one address dead", []int{0, 1, 3}, 300 * time.Millisecond, 2},
		{"round trip 2.6 s", []int{0, 1, 2, 3}, 2600 * time.Millisecond, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.answer(stores(test.after), test.alive...)
				c := w.client()
				unverified := 0
				for range 400 {
					r, err := c.Send(context.Background(), []byte("x"), 50, false)
					if err != nil {
						t.Fatal(err)
					}
					if r.Outcome != device.Delivered {
						unverified++
					}
					time.Sleep(r.Sleep)
				}
				if unverified > test.most {
					t.Errorf("%d of 400 check-ins unverified, at most %d may be", unverified, test.most)
				}
			})
		})
	}
}

// TestRealSockets: two addresses of this machine, the first of which nobody listens on.
func TestRealSockets(t *testing.T) {
	c, err := New(Config{Endpoints: []netip.AddrPort{nobody(t), storing(t)}, Type: "th", ID: "a1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []device.Outcome{device.Unverified, device.Delivered} {
		r, err := c.Send(context.Background(), []byte("{}"), 50, false)
		if err != nil || r.Outcome != want {
			t.Fatalf("%s, %v, want %s", r, err, want)
		}
	}
}

// storing is where each report is answered 2.04.
func storing(t *testing.T) netip.AddrPort {
	t.Helper()
	server := loopback(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 2000)
		for {
			n, from, err := server.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			var r coap.Request
			coap.Classify(b[:n], &r)
			server.WriteToUDPAddrPort(r.Append(nil, 0, coap.Response{Code: codes.Changed}), from)
		}
	}()
	t.Cleanup(func() { server.Close(); <-done })
	return server.LocalAddr().(*net.UDPAddr).AddrPort()
}

// nobody is where nobody listens, which an ICMP error says.
func nobody(t *testing.T) netip.AddrPort {
	t.Helper()
	socket := loopback(t)
	socket.Close()
	return socket.LocalAddr().(*net.UDPAddr).AddrPort()
}

func loopback(t *testing.T) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestFailoverInFourSeconds: on a real clock, whose timers fire late, a window of 4 s
// has room for the second address.
func TestFailoverInFourSeconds(t *testing.T) {
	t.Parallel()
	endpoints := []netip.AddrPort{nobody(t), storing(t)}
	c, err := New(Config{Endpoints: endpoints, Type: "th", ID: "a1", Policy: device.Config{WindowMin: 4000}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Send(context.Background(), []byte("{}"), 50, false)
	if err != nil || r.Outcome != device.Delivered || len(r.Attempts) != 2 || r.Attempts[1].Endpoint != endpoints[1] {
		t.Errorf("%s, %v: want a second attempt, which is delivered", r, err)
	}
}
