package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/coap"
	"coap-for-aws-iot/src/device"
	"coap-for-aws-iot/src/device/client"
	"coap-for-aws-iot/src/udp"
)

// A server answers the nth request that reaches it, from 1 on, after 10 ms; nil: nobody.
type server func(n int, request coap.Request) []byte

// says answers with a code, and with Max-Age unless that is zero.
func says(code codes.Code, maxAge uint32) server {
	return func(_ int, request coap.Request) []byte {
		return request.Append(nil, 0, coap.Response{Code: code, MaxAge: maxAge})
	}
}

var (
	stores = says(codes.Changed, 0)
	deaf   = func(int, coap.Request) []byte { return nil }
	reset  = func(_ int, r coap.Request) []byte { return coap.AppendReset(nil, r.MessageID) }
	empty  = func(_ int, r coap.Request) []byte {
		return coap.AppendHeader(nil, message.Acknowledgement, codes.Empty, r.MessageID, nil)
	}
)

// sends runs a send command inside a bubble, against servers at 192.0.2.1 and on.
func sends(ctx context.Context, t *testing.T, c sendCommand, servers ...server) (string, error) {
	t.Helper()
	network := udp.NewNetwork(nil)
	var done sync.WaitGroup
	defer done.Wait()
	for i, answer := range servers {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 5683)
		c.Endpoint = append(c.Endpoint, at.String())
		socket, err := network.Listen(at)
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		done.Go(func() { serve(socket, answer) })
	}
	c.Device = "th/a1"
	if c.Payload == "" {
		c.Payload = "{n}"
	}
	if c.Window == 0 {
		c.Window = time.Second
	}
	config, err := c.config()
	if err != nil {
		t.Fatal(err)
	}
	entropy := uint32(0)
	config.Entropy = func() uint32 { entropy++; return entropy }
	config.Open = func(context.Context) (udp.Socket, error) {
		socket, err := network.Listen(netip.MustParseAddrPort("198.51.100.1:0"))
		if len(servers) == 0 {
			return offline{socket}, err
		}
		return socket, err
	}
	if len(servers) == 0 {
		config.Endpoints = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:5683")}
	}
	var out strings.Builder
	err = c.report(ctx, config, text{bytes: []byte(c.Payload)}, streams{out: &out})
	return out.String(), err
}

func serve(socket udp.Socket, answer server) {
	packets := []udp.Packet{{Buf: make([]byte, 0, 2000)}}
	for n := 1; ; n++ {
		if _, err := socket.ReadBatch(packets); err != nil {
			return
		}
		var request coap.Request
		if coap.Classify(bytes.Clone(packets[0].Buf), &request).Action != coap.Handle {
			continue
		}
		time.Sleep(10 * time.Millisecond)
		if reply := answer(n, request); reply != nil && request.NoResponse == 0 {
			socket.WriteBatch([]udp.Packet{{Buf: reply, Peer: packets[0].Peer}})
		}
	}
}

// offline lets nothing leave.
type offline struct{ udp.Socket }

func (offline) WriteBatch([]udp.Packet) (int, error) { return 0, nil }

// What a person reads of a single check-in, and whether it is a success.
func TestTold(t *testing.T) {
	busy := func(n int, r coap.Request) []byte { return says(codes.ServiceUnavailable, 26)(n, r) }
	for _, tt := range []struct {
		name    string
		command sendCommand
		servers []server
		ok      bool
		want    string
	}{
		{"delivered", sendCommand{}, []server{stores, deaf}, true, `
delivered: CON to 192.0.2.1:5683, 2.04 after 10ms
A queue holds the report.`},
		{"failover", sendCommand{Window: 5 * time.Second}, []server{deaf, stores}, true, `
delivered: CON to 192.0.2.1:5683, silence
           CON to 192.0.2.2:5683, 2.04 after 10ms
A queue holds the report.`},
		{"silence", sendCommand{}, []server{deaf, stores}, false, `
unverified: CON to 192.0.2.1:5683, silence
Whether a queue holds the report is unknown. Send it again: --window 4s has room for another address, and with --state the next call begins with the next one. Is the address right, and does UDP 5683 get there and back?`},
		{"silence at the only address", sendCommand{}, []server{deaf}, false, `
unverified: CON to 192.0.2.1:5683, silence
Whether a queue holds the report is unknown. Send it again. Is the address right, and does UDP 5683 get there and back?`},
		{"silence with a memory", sendCommand{State: "state"}, []server{deaf, deaf}, false, `
unverified s=1: CON to 192.0.2.1:5683, silence
Whether a queue holds the report is unknown. Send it again: the next call begins with the next address and listens longer. Is the address right, and does UDP 5683 get there and back?`},
		{"silence at the only address with a memory", sendCommand{State: "state"}, []server{deaf}, false, `
unverified s=1: CON to 192.0.2.1:5683, silence
Whether a queue holds the report is unknown. Send it again: the next call listens longer. Is the address right, and does UDP 5683 get there and back?`},
		{"one says no", sendCommand{State: "state"}, []server{busy, stores}, true, `
delivered s=1: CON to 192.0.2.1:5683, 5.03 after 10ms (Max-Age 26s)
               CON to 192.0.2.2:5683, 2.04 after 10ms
A queue holds the report.`},
		{"all say no", sendCommand{}, []server{busy, reset}, false, `
busy: CON to 192.0.2.1:5683, 5.03 after 10ms (Max-Age 26s)
      CON to 192.0.2.2:5683, RST after 10ms
Service Unavailable: no queue has confirmed the report. Whoever says so is left alone for Max-Age. Send it again later.`},
		{"too fast", sendCommand{}, []server{says(codes.TooManyRequests, 90)}, false, `
busy: CON to 192.0.2.1:5683, 4.29 after 10ms (Max-Age 1m30s)
Too Many Requests: this device sends too fast, and holds everything back until 00:01:30 (Max-Age). The report is not stored.`},
		{"type not allowed", sendCommand{}, []server{says(codes.NotFound, 0)}, false, `
rejected: CON to 192.0.2.1:5683, 4.04 after 10ms
Not Found: the type th is none that is allowed there. The report is not stored, and to repeat it would not help: it is dropped.`},
		{"a strange refusal", sendCommand{}, []server{says(codes.Forbidden, 0)}, false, `
rejected: CON to 192.0.2.1:5683, 4.03 after 10ms
Refused. The report is not stored, and to repeat it would not help: it is dropped.`},
		{"empty ACK", sendCommand{}, []server{empty}, false, `
accepted: CON to 192.0.2.1:5683, empty ACK after 10ms
Somebody has it, says an empty ACK, but nobody says that a queue holds it. Send it again.`},
		{"no network", sendCommand{}, nil, false, `
held: CON to 192.0.2.1:5683, not sent: this system refused it
This system let nothing leave: has it a network, and a way to 192.0.2.1?`},
		{"never acknowledged", sendCommand{HardLimit: 4 * time.Hour}, []server{stores}, true, `
delivered: CON to 192.0.2.1:5683, 2.04 after 10ms
A queue holds the report.`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.command.State != "" {
				tt.command.State = filepath.Join(t.TempDir(), tt.command.State)
			}
			synctest.Test(t, func(t *testing.T) {
				out, err := sends(t.Context(), t, tt.command, tt.servers...)
				if want := tt.want[1:] + "\n"; out != want {
					t.Errorf("got\n%swant\n%s", out, want)
				}
				if tt.ok != (err == nil) || err != nil && !errors.As(err, new(silent)) {
					t.Errorf("ended with %v", err)
				}
			})
		})
	}
}

// What a device remembers from call to call holds it back, unless it is urgent.
func TestHeldBack(t *testing.T) {
	for _, tt := range []struct {
		name   string
		server server
		calls  int
		want   string
	}{
		{"after 5.03", says(codes.ServiceUnavailable, 60), 2, `
busy
Nothing was sent: each address has asked to be left alone, until 00:01:00 at least. --urgent sends all the same.`},
		{"after 4.29", says(codes.TooManyRequests, 60), 2, `
held
Nothing was sent: after 4.29, Too Many Requests, everything is held back until 00:01:00. --urgent sends all the same.`},
		{"after the second 4.04", says(codes.NotFound, 0), 2, `
rejected s=2: CON to 192.0.2.1:5683, 4.04 after 10ms
Not Found: the type th is none that is allowed there. The report is not stored, and to repeat it would not help: it is dropped, and so that this does not go on for ever the next check-in is skipped.`},
		{"skipped", says(codes.NotFound, 0), 3, `
held
Nothing was sent: reports were refused before (4.xx). --urgent sends all the same.`},
		{"skipped for longer", says(codes.NotFound, 0), 5, `
held
Nothing was sent: reports were refused before (4.xx), so 2 check-ins are skipped after this one. --urgent sends all the same.`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := sendCommand{State: filepath.Join(t.TempDir(), "state")}
			synctest.Test(t, func(t *testing.T) {
				var out string
				var err error
				for range tt.calls {
					out, err = sends(t.Context(), t, c, tt.server)
				}
				if want := tt.want[1:] + "\n"; out != want || !errors.As(err, new(silent)) {
					t.Errorf("%v, got\n%swant\n%s", err, out, want)
				}
				c.Urgent = true
				if out, err = sends(t.Context(), t, c, stores); err != nil || !strings.HasPrefix(out, "delivered s=") {
					t.Errorf("urgent: %v, %s", err, out)
				}
			})
		})
	}
}

// A stream says what changes, and at its end what it came to.
func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		moody := func(n int, r coap.Request) []byte {
			if n == 2 {
				return nil
			}
			return stores(n, r)
		}
		out, err := sends(t.Context(), t, sendCommand{Every: new(8 * time.Second), Count: 5}, moody, stores)
		const want = `00:00:00  delivered: CON to 192.0.2.1:5683, 2.04 after 10ms; sleep 7s
          A queue holds the report.
00:00:07  delivered: CON to 192.0.2.2:5683, 2.04 after 10ms; sleep 7s
00:00:15  unverified: CON to 192.0.2.1:5683, silence; listened 1s; sleep 8s
          Whether a queue holds the report is unknown. The next check-in begins with the next address and listens longer.
00:00:23  delivered: CON to 192.0.2.2:5683, 2.04 after 10ms; sleep 7s
          A queue holds the report.
00:00:30  delivered: CON to 192.0.2.1:5683, 2.04 after 10ms; sleep 7s

5 check-ins in 30s: 4 delivered, 1 unverified

ADDRESS          CON   NON   2.xx   OTHER   SILENCE   MEAN ROUND TRIP
192.0.2.1:5683   3     0     2      0       1         10ms
192.0.2.2:5683   2     0     2      0       0         10ms
`
		if err != nil || out != want {
			t.Errorf("%v, got\n%swant\n%s", err, out, want)
		}
	})
}

// Of several addresses that asked to be left alone, the first one that is free counts.
func TestSoonest(t *testing.T) {
	c := sendCommand{State: filepath.Join(t.TempDir(), "state")}
	synctest.Test(t, func(t *testing.T) {
		servers := []server{says(codes.ServiceUnavailable, 60), says(codes.ServiceUnavailable, 30), says(codes.ServiceUnavailable, 90)}
		sends(t.Context(), t, c, servers...)
		if out, _ := sends(t.Context(), t, c, servers...); !strings.Contains(out, "until 00:00:30 at least") {
			t.Error(out)
		}
	})
}

// A no is an answer, and what never left is no transmission.
func TestTally(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		no := func(n int, r coap.Request) []byte { return says(codes.ServiceUnavailable, 1)(n, r) }
		out, err := sends(t.Context(), t, sendCommand{Every: new(4 * time.Second), Count: 2}, no, stores)
		const want = `
2 check-ins in 4s: 2 delivered

ADDRESS          CON   NON   2.xx   OTHER   SILENCE   MEAN ROUND TRIP
192.0.2.1:5683   1     0     0      1       0         10ms
192.0.2.2:5683   2     0     2      0       0         10ms
`
		if err != nil || !strings.HasSuffix(out, want) {
			t.Errorf("%v, got\n%swant\n%s", err, out, want)
		}
		out, _ = sends(t.Context(), t, sendCommand{Every: new(time.Second), Count: 1})
		if want := "192.0.2.1:5683   0     0     0      0       0         -\n"; !strings.HasSuffix(out, want) {
			t.Errorf("offline: %s", out)
		}
	})
}

// Where a device was heard before, a lab runs.
func TestHeardBefore(t *testing.T) {
	at := netip.MustParseAddrPort("127.0.0.1:5683")
	told := narrator{config: client.Config{Endpoints: []netip.AddrPort{at}}, every: true}
	r := client.Result{Outcome: device.Unverified, Attempts: []client.Attempt{{Endpoint: at, Confirmable: true}}}
	if got, want := told.explain(r, device.State{Acknowledged: true}), "Whether a queue holds the report is unknown. The next check-in listens longer."; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// With a hard limit a stream verifies its first report only; sent is a success.
func TestHardLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, err := sends(t.Context(), t, sendCommand{Every: new(time.Second), Count: 3, HardLimit: 4 * time.Hour}, stores)
		const want = `00:00:00  delivered: CON to 192.0.2.1:5683, 2.04 after 10ms; sleep 1s
          A queue holds the report.
00:00:01  sent: NON to 192.0.2.1:5683; sleep 1s
          A NON, unverified by design: the last acknowledgement is younger than 4h (--hard-limit).
00:00:02  sent: NON to 192.0.2.1:5683; 2 reports without proof; sleep 1s

3 check-ins in 2s: 1 delivered, 2 sent

ADDRESS          CON   NON   2.xx   OTHER   SILENCE   MEAN ROUND TRIP
192.0.2.1:5683   1     2     1      0       0         10ms
`
		if err != nil || out != want {
			t.Errorf("%v, got\n%swant\n%s", err, out, want)
		}
	})
}

// Ctrl-C ends a stream; it is a failure only if the last report was none of a success.
func TestInterrupted(t *testing.T) {
	for _, tt := range []struct {
		name   string
		server server
		after  time.Duration
		err    string
		tail   string
	}{
		{"asleep", stores, 5 * time.Second, "", "\n1 check-in in 5s: 1 delivered\n"},
		{"asleep after silence", deaf, 5 * time.Second, "not delivered", "\n1 check-in in 5s: 1 unverified\n"},
		{"asleep after silence at the only address", deaf, 5 * time.Second, "not delivered", "unknown. The next check-in listens longer. Is the address right, and does UDP 5683 get there and back?\n"},
		{"awake", deaf, 500 * time.Millisecond, "interrupted: whether a queue holds the report is unknown", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.after)
				defer cancel()
				out, err := sends(ctx, t, sendCommand{Every: new(100 * time.Second)}, tt.server)
				if !strings.Contains(out, tt.tail) || tt.tail == "" && out != "" {
					t.Errorf("%s", out)
				}
				if err == nil && tt.err != "" || err != nil && err.Error() != tt.err {
					t.Errorf("ended with %v, want %s", err, tt.err)
				}
			})
		})
	}
}

// A machine reads a line for each check-in, and nothing else.
func TestLines(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	synctest.Test(t, func(t *testing.T) {
		out, err := sends(t.Context(), t, sendCommand{Every: new(2 * time.Second), Count: 2, JSON: true, State: state},
			says(codes.ServiceUnavailable, 26), stores)
		const want = `{"time":"2000-01-01T00:00:00.02Z","checkIn":1,"outcome":"delivered","seq":1,"attempts":[` +
			`{"endpoint":"192.0.2.1:5683","type":"CON","messageId":0,"atMs":0,"answer":{"code":"5.03","roundTripMs":10,"maxAge":26}},` +
			`{"endpoint":"192.0.2.2:5683","type":"CON","messageId":0,"atMs":10,"answer":{"code":"2.04","roundTripMs":10}}],` +
			`"windowMs":1000,"awakeMs":20,"sleepMs":2000,"unproven":0}`
		lines := strings.Split(out, "\n")
		if err != nil || len(lines) != 3 {
			t.Fatalf("%v, %s", err, out)
		}
		var o outcome
		if err := json.Unmarshal([]byte(lines[0]), &o); err != nil {
			t.Fatal(err)
		}
		for i := range o.Attempts {
			o.Attempts[i].MessageID = 0 // random
		}
		if got, _ := json.Marshal(o); string(got) != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		out, err = sends(t.Context(), t, sendCommand{JSON: true}, reset)
		if !errors.As(err, new(silent)) || !strings.Contains(out, `"code":"RST"`) || strings.Contains(out, "seq") || strings.Contains(out, "sleepMs") {
			t.Errorf("%v, %s", err, out)
		}
		out, err = sends(t.Context(), t, sendCommand{JSON: true})
		if !errors.As(err, new(silent)) || !strings.Contains(out, `"refused":true`) {
			t.Errorf("%v, %s", err, out)
		}
	})
}

// A memory that cannot be opened, read or written ends the call, in words and once.
func TestNoMemory(t *testing.T) {
	dir := t.TempDir()
	gone := filepath.Join(dir, "gone")
	if err := os.Mkdir(gone, 0o700); err != nil {
		t.Fatal(err)
	}
	vanishes := func(n int, r coap.Request) []byte {
		os.RemoveAll(gone)
		return stores(n, r)
	}
	for _, tt := range []struct {
		state  string
		server server
		want   string
	}{
		{filepath.Join(dir, "no", "state"), stores, "there is no folder " + filepath.Join(dir, "no") + ": make it first"},
		{dir, stores, " is no regular file: "},
		{filepath.Join(gone, "state"), vanishes, "save the device's memory: "},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, err := sends(t.Context(), t, sendCommand{State: tt.state}, tt.server)
			if err == nil || errors.Is(err, client.ErrMemory) || strings.Count(err.Error(), tt.want) != 1 {
				t.Errorf("ended with %v, want %s once", err, tt.want)
			}
		})
	}
}

// Numbers are of one device: a file is of the device that it was made for, and one that an
// older coapctl wrote, without a name, is of the first that uses it.
func TestStateOfAnotherDevice(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	run := func(device string) (int, string) {
		code, _, complaint := command(t, nil, "", "send", "--endpoint", "127.0.0.1:9", "--window", "1s", "--state", state, device, "1")
		return code, complaint
	}
	for _, named := range []bool{false, true} {
		if _, err := sends(t.Context(), t, sendCommand{State: state}, stores); err != nil {
			t.Fatal(err)
		}
		if !named { // as an older one left it
			b, err := os.ReadFile(state)
			if err != nil || string(b[client.MemorySize:]) != "th/a1" {
				t.Fatalf("%q, %v", b, err)
			}
			if err := os.WriteFile(state, b[:client.MemorySize], 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := "coapctl: --state " + state + " belongs to th/a1: name another file for th/a4, because numbers are of one device\n"
	if code, complaint := run("th/a4"); code != exitUsage || complaint != want {
		t.Errorf("%d %s, want %s", code, complaint, want)
	}
	if err := os.WriteFile(state, bytes.Repeat([]byte("dear diary/"), 9), 0o600); err != nil {
		t.Fatal(err)
	}
	want = "coapctl: --state " + state + " is not a file of coapctl send: name another, which it makes\n"
	if code, complaint := run("th/a4"); code != exitFault || complaint != want {
		t.Errorf("%d %s, want %s", code, complaint, want)
	}
}

// A file that is no device's memory, or is another process's, is not touched.
func TestStateOfOthers(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(state, []byte("dear diary"), 0o600); err != nil {
		t.Fatal(err)
	}
	send := func() error {
		_, err := sends(t.Context(), t, sendCommand{State: state}, stores)
		return err
	}
	if err, want := send(), "--state "+state+" is not a file of coapctl send: name another, which it makes"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	other, err := client.OpenFile(state)
	if err != nil {
		t.Fatal(err)
	}
	if err, want := send(), "--state "+state+" is in use by another coapctl send: end that one, or name another file, which is another device"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	other.Close()
	if b, err := os.ReadFile(state); string(b) != "dear diary" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	os.Remove(state)
	for range 2 { // the lock was let go
		if err := send(); err != nil {
			t.Error(err)
		}
	}
}
