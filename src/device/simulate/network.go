package main

import (
	"math/rand/v2"

	"coap-for-aws-iot/src/device"
)

// network is what lies between a device and its addresses. All is in milliseconds and
// integers, so that every machine computes the same tables.
type network struct {
	roundTrip uint32
	dead      uint8  // a bit for each address that never answers
	busy      uint8  // and for each that answers 5.03, Max-Age 60
	loss      uint32 // per cent, of each datagram
}

// random is what a run draws from.
type random struct{ *rand.Rand }

func newRandom(seed, run uint64) random { return random{rand.New(rand.NewPCG(seed, run))} }

func (r random) lost(percent uint32) bool { return r.Uint32N(100) < percent }

// The answers of an address.
const (
	nothing = iota
	stored
	refused
)

// exchange is what comes back for a request.
func (n *network) exchange(r random, address uint8) int {
	switch {
	case r.lost(n.loss) || n.dead>>address&1 == 1:
		return nothing
	case r.lost(n.loss):
		return nothing
	case n.busy>>address&1 == 1:
		return refused
	}
	return stored
}

// checkIns is how many a run has, an interval apart.
const (
	checkIns = 400
	interval = 3600 // s
)

// tally is what a device did in its check-ins.
type tally struct {
	checkIns   uint64
	unverified uint64 // neither acknowledged nor, by design, a NON
	nons       uint64 // of sends, those that are not listened for
	sends      uint64
	listened   uint64 // ms
}

func (t *tally) add(o tally) {
	t.checkIns += o.checkIns
	t.unverified += o.unverified
	t.nons += o.nons
	t.sends += o.sends
	t.listened += o.listened
}

// An algorithm lives through a run in a network.
type algorithm func(n network, r random) tally

// many is how many runs make the figures of a lossy network stand still; where nothing is
// lost, few do.
const (
	many = 50
	few  = 5
)

// mean lives through so many runs.
func mean(a algorithm, n network, seed, runs uint64) tally {
	var sum tally
	for run := range runs {
		sum.add(a(n, newRandom(seed, run)))
	}
	return sum
}

// plain is the loop that most firmware has: wait one second for the ACK, twice as long at
// the next check-in if none came, one second again after success; each check-in at the
// next address.
func plain(n network, r random) (t tally) {
	const least, most = 1000, 32000
	window := uint32(least)
	for i := range checkIns {
		t.checkIns++
		t.sends++
		answer := n.exchange(r, uint8(i%device.N))
		if answer == nothing || n.roundTrip > window {
			t.unverified++
			t.listened += uint64(window)
			window = min(2*window, most)
			continue
		}
		t.listened += uint64(n.roundTrip)
		if answer == stored {
			window = least
		} else {
			t.unverified++
		}
	}
	return t
}

// ours is the policy with a configuration.
func ours(c device.Config) algorithm {
	c.Interval = interval
	return func(n network, r random) (t tally) {
		policy, _ := device.Boot(c, r.Uint32(), 1)
		for i := range uint32(checkIns) {
			t.add(checkIn(&policy, n, r, i*interval))
		}
		return t
	}
}

// checkIn is the policy's host for one check-in, in a radio that sends at once.
func checkIn(policy *device.Policy, n network, r random, now uint32) tally {
	t := tally{checkIns: 1}
	var replies []arrival // in the order of their arrival
	ms := uint32(0)
	out := policy.Wake(now, r.Uint32(), true, false)
	for {
		switch out.Action {
		case device.Send:
			t.sends++
			if answer := n.exchange(r, out.Address); answer != nothing && out.Confirmable {
				replies = append(replies, arrival{ms + n.roundTrip, reply(out, answer)})
			}
			out = policy.TxDone(ms)
		case device.Listen:
			if len(replies) > 0 && replies[0].at <= out.Until {
				ms = replies[0].at
				out = policy.Rx(ms, replies[0].reply)
				replies = replies[1:]
				continue
			}
			ms = out.Until
			out = policy.Timer(ms)
		case device.Sleep:
			t.listened = uint64(ms)
			switch out.Outcome {
			case device.Delivered:
			case device.Sent:
				t.nons = 1
			default:
				t.unverified = 1
			}
			return t
		}
	}
}

// arrival is a reply on its way.
type arrival struct {
	at    uint32
	reply device.Reply
}

func reply(request device.Output, answer int) device.Reply {
	r := device.Reply{
		From:      request.Address,
		Type:      device.ACK,
		Code:      2<<5 | 4,
		MessageID: request.MessageID,
		TokenLen:  uint8(len(request.Token)),
	}
	copy(r.Token[:], request.Token[:])
	if answer == refused {
		r.Code, r.HasMaxAge, r.MaxAge = 5<<5|3, true, 60
	}
	return r
}
