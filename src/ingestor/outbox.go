package ingestor

import (
	"coap-for-aws-iot/src/coap"
	"coap-for-aws-iot/src/udp"
)

// An outbox collects the replies of one batch, in memory of its own. One goroutine
// owns it.
type outbox struct {
	packets []udp.Packet
	memory  []byte // batch buffers of coap.MaxReply bytes
}

func newOutbox() outbox {
	return outbox{packets: make([]udp.Packet, 0, batch), memory: make([]byte, batch*coap.MaxReply)}
}

// add puts in the reply to a message, which encode appends; an empty one is left out.
// At most batch replies may be added between two resets.
func (o *outbox) add(to *udp.Packet, encode func(dst []byte) []byte) {
	start := len(o.packets) * coap.MaxReply
	buf := encode(o.memory[start : start : start+coap.MaxReply])
	if len(buf) > 0 {
		o.packets = append(o.packets, udp.Packet{Buf: buf, Peer: to.Peer, Local: to.Local})
	}
}

func (o *outbox) reset() { o.packets = o.packets[:0] }
