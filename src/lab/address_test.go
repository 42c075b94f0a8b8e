package lab

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
)

func TestEndpoints(t *testing.T) {
	for _, tt := range []struct {
		text string // "" means that nothing is asked for
		more bool   // whether the machine has more than 127.0.0.1
		want string
	}{
		{"", true, "127.0.0.1:5683 127.0.0.2:5683 127.0.0.3:5683 127.0.0.4:5683"},
		{"", false, "127.0.0.1:5683 127.0.0.1:5684 127.0.0.1:5685 127.0.0.1:5686"},
		{"127.0.0.1:7000", true, "127.0.0.1:7000 127.0.0.1:7001 127.0.0.1:7002 127.0.0.1:7003"},
		{"192.0.2.1", true, "192.0.2.1:5683 192.0.2.1:5684 192.0.2.1:5685 192.0.2.1:5686"},
		{"[::1]:7000", true, "[::1]:7000 [::1]:7001 [::1]:7002 [::1]:7003"},
		{"127.0.0.9:1, 127.0.0.8:2,127.0.0.7,[::1]:4", false, "127.0.0.9:1 127.0.0.8:2 127.0.0.7:5683 [::1]:4"},
		{"127.0.0.1:65533", true, "127.0.0.1:65533: four ports in a row do not fit: begin at 65532 at most"},
		{"127.0.0.1,127.0.0.2", true, `"127.0.0.1,127.0.0.2": want one address or four, such as 127.0.0.1:5683`},
		{"localhost", true, `"localhost": want an IP address and a port, such as 127.0.0.1:5683`},
		{"127.0.0.1:0", true, `"127.0.0.1:0": want an IP address and a port, such as 127.0.0.1:5683`},
		{"127.0.0.1:70000", true, `"127.0.0.1:70000": want an IP address and a port, such as 127.0.0.1:5683`},
	} {
		var given []netip.AddrPort
		var err error
		if tt.text != "" {
			given, err = ParseEndpoints(tt.text)
		}
		var got string
		if err == nil {
			var four [4]netip.AddrPort
			four, err = endpoints(given, func(netip.Addr) bool { return tt.more })
			got = fmt.Sprintf("%v %v %v %v", four[0], four[1], four[2], four[3])
		}
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.text, got, tt.want)
		}
	}
}

// testEndpoints returns four endpoints, and addresses for AWS and the page, that nothing
// else on this machine uses: below the ports that the kernel gives to outgoing connections.
func testEndpoints(t testing.TB) (coap []netip.AddrPort, awsAt, httpAt netip.AddrPort) {
	t.Helper()
	one := defaultCoAP.Addr()
	many := available(addrAfter(one, 3))
	for range 100 {
		port := uint16(10_000 + 10*rand.IntN(1800))
		var four [4]netip.AddrPort
		for i := range four {
			four[i] = netip.AddrPortFrom(one, port+uint16(i))
			if many {
				four[i] = netip.AddrPortFrom(addrAfter(one, i), port)
			}
		}
		awsAt, httpAt = netip.AddrPortFrom(one, port+8), netip.AddrPortFrom(one, port+9)
		if NewPlan(four, awsAt, httpAt, 1, 1).checkAddresses() == nil {
			return four[:], awsAt, httpAt
		}
	}
	t.Fatal("no free ports")
	return nil, awsAt, httpAt
}

// A fault of the addresses is one line that says what to do.
func TestCheckAddresses(t *testing.T) {
	coap, awsAt, httpAt := testEndpoints(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	busyUDP, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busyUDP.Close()
	tcp, udp := busy.Addr().String(), busyUDP.LocalAddr().String()
	elsewhere := netip.MustParseAddrPort("203.0.113.1:5683")

	four := [4]netip.AddrPort(coap)
	if err := NewPlan(four, awsAt, httpAt, 1, 1).checkAddresses(); err != nil {
		t.Errorf("free addresses: %v", err)
	}
	for _, tt := range []struct {
		change func(coap *[4]netip.AddrPort, awsAt, httpAt *netip.AddrPort)
		want   string
	}{
		{func(c *[4]netip.AddrPort, a, h *netip.AddrPort) {
			c[1], *a = netip.MustParseAddrPort(udp), netip.MustParseAddrPort(tcp)
		}, "listen udp " + udp + ", tcp " + tcp + ": address already in use: stop the lab that runs there, or choose others with --coap, --aws and --http"},
		{func(c *[4]netip.AddrPort, a, h *netip.AddrPort) { c[2] = elsewhere },
			"listen udp 203.0.113.1:5683: address not available: choose an address of this machine"},
		{func(c *[4]netip.AddrPort, a, h *netip.AddrPort) { *h = elsewhere },
			"listen tcp 203.0.113.1:5683: address not available: choose an address of this machine"},
		{func(c *[4]netip.AddrPort, a, h *netip.AddrPort) { *h = *a },
			"listen tcp " + awsAt.String() + ": asked for twice: give each listener an address of its own"},
	} {
		coap, awsAt, httpAt := four, awsAt, httpAt
		tt.change(&coap, &awsAt, &httpAt)
		if err := NewPlan(coap, awsAt, httpAt, 1, 1).checkAddresses(); err == nil || err.Error() != tt.want {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
	}
}
