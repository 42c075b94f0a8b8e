package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// Where a lab listens unless it is told otherwise.
var (
	defaultCoAP = netip.MustParseAddrPort("127.0.0.1:5683")
	defaultAWS  = netip.MustParseAddrPort("127.0.0.1:4566")
	defaultHTTP = netip.MustParseAddrPort("127.0.0.1:8080")
)

// ParseEndpoints reads the addresses of the four ingestors in firmware order, separated by
// commas. A single address is the first of four ports in a row.
func ParseEndpoints(text string) ([]netip.AddrPort, error) {
	parts := strings.Split(text, ",")
	if len(parts) != 1 && len(parts) != 4 {
		return nil, fmt.Errorf("%q: want one address or four, such as 127.0.0.1:5683", text)
	}
	var addrs []netip.AddrPort
	for _, part := range parts {
		addr, err := ParseAddress(strings.TrimSpace(part), defaultCoAP.Port())
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, addr)
	}
	return addrs, nil
}

// ParseAddress reads an IP address with a port, or without one: then it is port.
func ParseAddress(text string, port uint16) (netip.AddrPort, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(addr, port), nil
	}
	at, err := netip.ParseAddrPort(text)
	if err != nil || at.Port() == 0 {
		return netip.AddrPort{}, fmt.Errorf("%q: want an IP address and a port, such as 127.0.0.1:%d", text, port)
	}
	return at, nil
}

// endpoints returns the addresses of the four ingestors. given is what the user asked for:
// four addresses, the first of four ports, or nothing; then they are 127.0.0.1 to .4, or
// four ports of 127.0.0.1 where available says that there is no other.
func endpoints(given []netip.AddrPort, available func(netip.Addr) bool) (four [4]netip.AddrPort, err error) {
	if len(given) == 4 {
		return [4]netip.AddrPort(given), nil
	}
	base := defaultCoAP
	if len(given) == 1 {
		base = given[0]
	} else if available(addrAfter(base.Addr(), 3)) {
		for i := range four {
			four[i] = netip.AddrPortFrom(addrAfter(base.Addr(), i), base.Port())
		}
		return four, nil
	}
	if base.Port() > 65535-3 {
		return four, fmt.Errorf("%s: four ports in a row do not fit: begin at 65532 at most", base)
	}
	for i := range four {
		four[i] = netip.AddrPortFrom(base.Addr(), base.Port()+uint16(i))
	}
	return four, nil
}

// addrAfter returns the address n after addr.
func addrAfter(addr netip.Addr, n int) netip.Addr {
	for range n {
		addr = addr.Next()
	}
	return addr
}

// available reports whether this machine has an address: on Linux all of 127.0.0.0/8 is
// there, elsewhere only 127.0.0.1.
func available(addr netip.Addr) bool {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// checkAddresses opens and closes what the plan is going to listen on, so that a fault is
// one line that says what to do, not four children that die again and again.
func (p Plan) checkAddresses() error {
	var taken []string
	seen := map[string]bool{}
	check := func(network string, at netip.AddrPort) error {
		name := network + " " + at.String()
		if seen[name] {
			return fmt.Errorf("listen %s: asked for twice: give each listener an address of its own", name)
		}
		seen[name] = true
		err := tryListen(network, at)
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			taken = append(taken, name)
			return nil
		case errors.Is(err, syscall.EADDRNOTAVAIL) && network == "udp" && at.Addr().IsLoopback():
			return fmt.Errorf("listen %s: address not available: this machine has only 127.0.0.1; try --coap 127.0.0.1:%d", name, p.Ingestors[0].CoAP.Port())
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			return fmt.Errorf("listen %s: address not available: choose an address of this machine", name)
		case errors.Is(err, syscall.EACCES):
			return fmt.Errorf("listen %s: not permitted: choose a port above 1023", name)
		case err != nil:
			return fmt.Errorf("listen %s: %w", name, err)
		}
		return nil
	}
	for _, in := range p.Ingestors {
		if err := check("udp", in.CoAP); err != nil {
			return err
		}
		if err := check("tcp", in.Admin); err != nil {
			return err
		}
	}
	if err := check("tcp", p.AWS); err != nil {
		return err
	}
	if err := check("tcp", p.HTTP); err != nil {
		return err
	}
	if taken != nil {
		return fmt.Errorf("listen %s: address already in use: stop the lab that runs there, or choose others with --coap, --aws and --http", strings.Join(taken, ", "))
	}
	return nil
}

func tryListen(network string, at netip.AddrPort) error {
	if network == "udp" {
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		if err == nil {
			conn.Close()
		}
		return err
	}
	listener, err := net.Listen("tcp", at.String())
	if err == nil {
		listener.Close()
	}
	return err
}
