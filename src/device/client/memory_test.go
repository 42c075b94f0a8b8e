package client

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"coap-for-aws-iot/src/device"
)

// TestNumbersNeverGoBack: the process is killed after any check-in, or closed, and no number
// is ever given twice or out of order.
func TestNumbersNeverGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := &memory{}
		w.config.Memory = m
		w.answer(stores(0))
		c := w.client()
		last, killed := uint32(0), 0
		for i := range 2000 {
			r := w.send(c, "x", device.Delivered)
			if r.Seq <= last {
				t.Fatalf("number %d after %d", r.Seq, last)
			}
			last = r.Seq
			switch {
			case i%97 == 96:
				c = w.client() // killed
				killed++
			case i%101 == 100:
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
				c = w.client()
				if r := w.send(c, "x", device.Delivered); r.Seq != last+1 {
					t.Fatalf("after Close number %d follows %d", r.Seq, last)
				}
				last++
			}
		}
		if last > uint32(2100+killed*device.SeqBlock) {
			t.Errorf("%d numbers for 2000 reports and %d kills", last, killed)
		}
	})
}

// TestMemoryOutlivesTheProcess: what was learnt is there, what was pending is not.
func TestMemoryOutlivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.Memory = &memory{}
		w.answer(stores(900 * time.Millisecond))
		c := w.client()
		w.send(c, "1", device.Delivered)
		w.answer(nil)
		w.send(c, "2", device.Unverified)
		before := c.State()
		c = w.client()
		after := c.State()
		if c.BootWait() != 0 || after.RoundTrip != before.RoundTrip || after.Silent != 1 || after.LastAck != before.LastAck {
			t.Errorf("%+v became %+v", before, after)
		}
		r, err := c.Resend(context.Background(), true)
		if err != nil || r.Outcome != device.Held {
			t.Errorf("the new process sent what it does not know: %s, %v", r, err)
		}
		w.answer(stores(0))
		if r := w.send(c, "3", device.Delivered); r.Seq != 1+device.SeqBlock {
			t.Errorf("number %d", r.Seq)
		}
	})
}

func TestMemoryFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m := &memory{before: errFlash}
		w.config.Memory = m
		w.answer(stores(0))
		c := w.client()
		if _, err := c.Send(context.Background(), []byte("1"), 50, false); !errors.Is(err, errFlash) {
			t.Errorf("%v", err)
		}
		w.expect() // a number that is not reserved does not leave
		m.before, m.after = nil, errFlash
		if _, err := c.Send(context.Background(), []byte("2"), 50, false); !errors.Is(err, errFlash) {
			t.Errorf("%v", err)
		}
		w.expect()
		m.after = nil
		w.send(c, "3", device.Delivered)
		w.expect(`2: CON POST th/a1 50 "3" s=3`)
		m.before = errFlash
		r, err := c.Send(context.Background(), []byte("4"), 50, false)
		if !errors.Is(err, errFlash) || r.Outcome != device.Delivered {
			t.Errorf("%s, %v", r, err)
		}
	})
}

func TestForeignMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.answer(stores(0))
		m := &memory{}
		w.config.Memory = m
		w.send(w.client(), "x", device.Delivered)
		good := m.saved
		for name, b := range map[string][]byte{
			"short":            good[:len(good)-1],
			"long":             append(bytes.Clone(good), 0),
			"of another kind":  make([]byte, MemorySize),
			"a number changed": append([]byte{good[0] ^ 1}, good[1:]...),
		} {
			m.saved = b
			if _, err := New(w.config); !errors.Is(err, ErrMemory) {
				t.Errorf("%s: %v", name, err)
			}
		}
		m.saved = bytes.Clone(good)
		m.saved[20] ^= 1 // the state is torn: a cold boot, and the numbers go on
		c := w.client()
		if c.BootWait() == 0 {
			t.Error("a torn state was restored")
		}
		if r := w.send(c, "x", device.Delivered); r.Seq != 1+device.SeqBlock {
			t.Errorf("number %d", r.Seq)
		}
	})
}
