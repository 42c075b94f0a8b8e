package main

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"coap-for-aws-iot/src/device"
	"coap-for-aws-iot/src/device/client"
)

// A tally is what a stream has come to.
type tally struct {
	begun    time.Time
	checkIns int
	outcomes [device.Accepted + 1]int
	order    []netip.AddrPort
	at       map[netip.AddrPort]*count
}

// count is of the transmissions to one address.
type count struct {
	con, non, stored, other, silent int
	roundTrips                      time.Duration // of all answers together
}

func newTally(endpoints []netip.AddrPort) *tally {
	t := &tally{begun: time.Now(), at: make(map[netip.AddrPort]*count)}
	for _, e := range endpoints {
		e = netip.AddrPortFrom(e.Addr().Unmap(), e.Port()) // as the client names it
		t.order, t.at[e] = append(t.order, e), new(count)
	}
	return t
}

func (t *tally) add(r client.Result) {
	t.checkIns++
	t.outcomes[r.Outcome]++
	for _, a := range r.Attempts {
		if a.Refused {
			continue // it never left
		}
		c := t.at[a.Endpoint]
		if a.Confirmable {
			c.con++
		} else {
			c.non++
		}
		switch {
		case a.Answer == nil && a.Confirmable:
			c.silent++
		case a.Answer == nil:
		case a.Answer.Code>>5 == 2:
			c.stored++
			c.roundTrips += a.Answer.RoundTrip
		default:
			c.other++
			c.roundTrips += a.Answer.RoundTrip
		}
	}
}

// write writes nothing if there was no check-in.
func (t *tally) write(out io.Writer) error {
	if t.checkIns == 0 {
		return nil
	}
	var ends []string
	for _, o := range []device.Outcome{device.Delivered, device.Sent, device.Unverified, device.Accepted, device.Busy, device.Rejected, device.Held} {
		if t.outcomes[o] > 0 {
			ends = append(ends, fmt.Sprintf("%d %v", t.outcomes[o], o))
		}
	}
	noun := "check-ins"
	if t.checkIns == 1 {
		noun = "check-in"
	}
	fmt.Fprintf(out, "\n%d %s in %v: %s\n\n", t.checkIns, noun, time.Since(t.begun).Round(time.Second), strings.Join(ends, ", "))
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "ADDRESS\tCON\tNON\t2.xx\tOTHER\tSILENCE\tMEAN ROUND TRIP")
	for _, e := range t.order {
		c, mean := t.at[e], "-"
		if n := c.stored + c.other; n > 0 {
			mean = (c.roundTrips / time.Duration(n)).Round(100 * time.Microsecond).String()
		}
		fmt.Fprintf(table, "%v\t%d\t%d\t%d\t%d\t%d\t%s\n", e, c.con, c.non, c.stored, c.other, c.silent, mean)
	}
	return table.Flush()
}
