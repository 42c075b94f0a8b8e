package client

import (
	"bytes"
	"net/netip"
	"slices"

	"coap-for-aws-iot/src/coap"
	"coap-for-aws-iot/src/device"
	"coap-for-aws-iot/src/udp"
)

// heard is a well-formed message from one of the endpoints.
type heard struct {
	reply device.Reply
	echo  []byte // the value of Echo, owned
}

// ear reads a socket for the length of a check-in.
type ear struct {
	socket udp.Socket
	heard  chan heard    // closed when the socket is broken, after err was set
	closed chan struct{} // closed to end the reader
	done   chan struct{} // closed when the reader has ended
	err    error
}

// listenOn starts to read. Its goroutine ends with close, which waits for it.
func listenOn(socket udp.Socket, endpoints []netip.AddrPort) *ear {
	e := &ear{socket: socket, heard: make(chan heard), closed: make(chan struct{}), done: make(chan struct{})}
	go e.read(endpoints)
	return e
}

func (e *ear) close() {
	close(e.closed)
	e.socket.Close()
	<-e.done
}

// read passes on what comes from an endpoint and is well-formed; the rest is nobody's
// business. One byte more than fits tells a datagram that is too long.
func (e *ear) read(endpoints []netip.AddrPort) {
	defer close(e.done)
	packets := []udp.Packet{{Buf: make([]byte, 0, coap.MaxDatagram+1)}}
	for {
		if _, err := e.socket.ReadBatch(packets); err != nil {
			e.err = err
			close(e.heard)
			return
		}
		from := slices.Index(endpoints, packets[0].Peer)
		if from < 0 || len(packets[0].Buf) > coap.MaxDatagram {
			continue
		}
		reply, echo, ok := parseReply(packets[0].Buf, from)
		if !ok {
			continue
		}
		select {
		case e.heard <- heard{reply, bytes.Clone(echo)}:
		case <-e.closed:
			return
		}
	}
}
