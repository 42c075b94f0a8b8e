package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/coap"
)

// A slot is one field of one thing. Each report of the crash test sets a slot of its own,
// once, so that the shadows show in the end which reports are there.
type slot int

const (
	fieldsOfThing = 40
	crashRate     = 5600 // reports a second that are offered
	crashSockets  = 100
)

func (s slot) thing() string { return "c" + strconv.Itoa(int(s)/fieldsOfThing) }
func (s slot) field() string { return "f" + strconv.Itoa(int(s)%fieldsOfThing) }

// A flood offers reports at a steady rate, from many sockets to all four addresses, and
// keeps what was acknowledged.
type flood struct {
	next  atomic.Int64 // slot
	mu    sync.Mutex   // guards the following
	acked []slot
}

// run floods the lab for d.
func (f *flood) run(l *Lab, d time.Duration) error {
	var running sync.WaitGroup
	for i := range crashSockets {
		to := l.Addresses()[i%4]
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 77, byte(1+i))}, net.UDPAddrFromAddrPort(to))
		if err != nil {
			return err
		}
		var mu sync.Mutex // guards the following
		sent := map[uint16]slot{}
		running.Go(func() {
			defer conn.Close()
			ticker := time.NewTicker(time.Second * crashSockets / crashRate)
			defer ticker.Stop()
			end := time.Now().Add(d)
			for id := uint16(0); time.Now().Before(end); id++ {
				<-ticker.C
				s := slot(f.next.Add(1) - 1)
				b := coap.AppendHeader(nil, message.Confirmable, codes.POST, id, []byte{1})
				b = coap.AppendOption(b, 0, message.URIPath, "crash")
				b = coap.AppendOption(b, message.URIPath, message.URIPath, s.thing())
				b = coap.AppendUintOption(b, message.URIPath, message.ContentFormat, uint32(message.AppJSON))
				b = coap.AppendPayload(b, fmt.Sprintf(`{"%s":%d}`, s.field(), s))
				mu.Lock()
				sent[id] = s
				mu.Unlock()
				conn.Write(b) // to a dead ingestor it fails, as it does in the field
			}
			time.Sleep(800 * time.Millisecond) // the last answers
		})
		go func() {
			buf := make([]byte, 200)
			for {
				n, err := conn.Read(buf)
				if err != nil {
					if errors.Is(err, syscall.ECONNREFUSED) {
						continue // the ingestor is dead
					}
					return
				}
				m, reason := coap.Parse(buf[:n])
				if reason != coap.None || m.Code != codes.Changed {
					continue
				}
				mu.Lock()
				s, ok := sent[m.MessageID]
				delete(sent, m.MessageID)
				mu.Unlock()
				if ok {
					f.mu.Lock()
					f.acked = append(f.acked, s)
					f.mu.Unlock()
				}
			}
		}()
	}
	running.Wait()
	return nil
}

// kill -9 of everything at once, under load, again and again: the local AWS with its data
// file, the ingestors and the containers. What was acknowledged is there in the end.
func TestKillEverything(t *testing.T) {
	kills := 5
	if n, err := strconv.Atoi(os.Getenv("KILLS")); err == nil {
		kills = n
	}
	l := startLab(t, Options{Data: t.TempDir(), FunctionTimeout: 5 * time.Second, Visibility: 5 * time.Second})
	f := &flood{}
	var offered time.Duration
	for range kills {
		load := 2*time.Second + rand.N(time.Second)
		var running sync.WaitGroup
		running.Go(func() {
			if err := f.run(l, load); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(load - 200*time.Millisecond)
		offered += load
		for _, name := range []string{"aws", "use1-a", "euw1-a", "use1-b", "euw1-b", "processor", "replicator"} {
			if err := l.Kill(name); err != nil {
				t.Logf("kill %s: %v", name, err) // a function may have no container
			}
		}
		running.Wait()
		for _, name := range []string{"aws", "use1-a", "euw1-a", "use1-b", "euw1-b"} {
			if err := l.Ready(t.Context(), name); err != nil {
				t.Fatalf("%s is not back: %v", name, err)
			}
		}
	}
	rate := float64(len(f.acked)) / offered.Seconds()
	t.Logf("%d reports acknowledged in %v, %.0f a second, under %d kills", len(f.acked), offered.Round(time.Millisecond), rate, kills)

	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		waiting := 0
		for _, q := range l.Stats(t.Context()).Queues {
			if q.Name == reportsQueue {
				waiting += q.Visible + q.InFlight + q.Delayed
			}
		}
		if waiting == 0 && len(l.Stats(t.Context()).Queues) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d messages are still in the queues", waiting)
		}
	}
	things, err := allThings(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	shadows := map[string]map[string]any{}
	for name, thing := range things {
		var reported map[string]any
		if err := json.Unmarshal(thing.Reported, &reported); err != nil {
			t.Fatal(err)
		}
		shadows[name] = reported
	}
	lost := 0
	for _, s := range f.acked {
		if shadows[s.thing()][s.field()] != float64(s) {
			lost++
			if lost < 10 {
				t.Errorf("%s %s = %d was acknowledged and is %v", s.thing(), s.field(), s, shadows[s.thing()][s.field()])
			}
		}
	}
	t.Logf("acknowledged but lost: %d", lost)
	if rate < crashRate/2 { // a busy machine; on a free one it is more than 5,000
		t.Errorf("only %.0f reports a second were acknowledged, of %d offered: the test is too easy", rate, crashRate)
	}
}
