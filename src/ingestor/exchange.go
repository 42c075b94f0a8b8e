package ingestor

import (
	"net/netip"
	"sync"
	"time"

	"coap-for-aws-iot/src/coap"
	"coap-for-aws-iot/src/udp"
)

// An exchange is a report on its way to a queue, with what its answer will need.
type exchange struct {
	listener *listener
	peer     netip.AddrPort
	local    netip.Addr
	exchange coap.Exchange
	ticket   ticket
	received time.Time

	done func(error) // listener.settled for this exchange, bound once
}

// newExchange takes an exchange from those that were freed, so that the packet path
// makes no garbage.
func newExchange(l *listener, p *udp.Packet, r *coap.Request, t ticket, now time.Time) *exchange {
	e, ok := exchanges.Get().(*exchange)
	if !ok {
		e = new(exchange)
		e.done = func(err error) { e.listener.settled(e, err) }
	}
	e.listener, e.peer, e.local, e.exchange, e.ticket, e.received = l, p.Peer, p.Local, r.Exchange, t, now
	return e
}

var exchanges sync.Pool

// free gives e back; its owner may not touch it any more.
func (e *exchange) free() { exchanges.Put(e) }
