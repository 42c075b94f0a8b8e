package ingestor

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/coap"
)

// notify tells the service manager a state, if there is one (sd_notify(3)).
func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("the service manager cannot be told", "state", state, "error", err)
	}
}

// watch feeds the service manager's watchdog until ctx is done, as long as the socket
// at addr answers: a process that lives but is deaf is to be restarted.
func watch(ctx context.Context, log *slog.Logger, addr netip.AddrPort) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	ticker := time.NewTicker(interval / 2)
	defer ticker.Stop()
	for id := uint16(0); ; id++ {
		if err := ping(ctx, addr, id, interval/4); err != nil {
			log.Error("the socket does not answer, the watchdog is not fed", "error", err)
		} else {
			notify(log, daemon.SdNotifyWatchdog)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// ping sends a CoAP ping and waits for its RST (RFC 7252, section 4.3). Under a flood
// datagrams are dropped, so it tries several times.
func ping(ctx context.Context, addr netip.AddrPort, id uint16, within time.Duration) error {
	if addr.Addr().IsUnspecified() {
		loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		addr = netip.AddrPortFrom(loopback, addr.Port())
	}
	conn, err := new(net.Dialer).DialContext(ctx, "udp", addr.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	request := coap.AppendHeader(nil, message.Confirmable, codes.Empty, id, nil)
	want := string(coap.AppendReset(nil, id))
	buf := make([]byte, 16)
	const tries = 5
	for range tries {
		if _, err = conn.Write(request); err != nil {
			return err
		}
		conn.SetReadDeadline(time.Now().Add(within / tries))
		var n int
		if n, err = conn.Read(buf); err == nil && string(buf[:n]) == want {
			return nil
		}
	}
	return err
}
