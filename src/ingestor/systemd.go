package ingestor

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
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

// watch feeds the service manager's watchdog until ctx is done, twice in its time, as long
// as all addresses are read: a process that lives but is deaf is to be restarted. It goes
// on trying for what is left of that time, so one try that fails costs nothing.
func (in *Ingestor) watch(ctx context.Context) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	ears := in.ears()
	ticker := time.NewTicker(interval / 2)
	defer ticker.Stop()
	for {
		for _, e := range ears {
			if !e.hears(ctx, in.log, interval/tryShare) {
				return
			}
		}
		notify(in.log, daemon.SdNotifyWatchdog)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

const (
	tryShare = 40 // of the watchdog's time is one try: 1.5 s of 60
	silent   = 10 // tries without an answer are logged
)

// An ear is an address, with the sockets that are open at it. To which of them a datagram
// goes is the kernel's choice, by its source.
type ear struct {
	addr      netip.AddrPort
	listeners []*listener
	handled   uint64 // at the last look
}

// ears returns the ingestor's addresses.
func (in *Ingestor) ears() (all []*ear) {
	for _, l := range in.listeners {
		addr := l.socket.LocalAddr()
		i := slices.IndexFunc(all, func(e *ear) bool { return e.addr == addr })
		if i < 0 {
			i = len(all)
			all = append(all, &ear{addr: addr})
		}
		all[i].listeners = append(all[i].listeners, l)
	}
	return all
}

// hears returns true as soon as datagrams were handled since the last look, or a ping is
// answered; in a flood the kernel drops most pings. It returns false when ctx is done.
func (e *ear) hears(ctx context.Context, log *slog.Logger, try time.Duration) bool {
	for id := uint16(1); ; id++ {
		handled := uint64(0)
		for _, l := range e.listeners {
			handled += l.handled.Load()
		}
		if handled != e.handled {
			e.handled = handled
			return true
		}
		err := ping(ctx, e.addr, id, try)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if id == silent {
			log.Error("a socket does not answer, the watchdog is not fed", "address", e.addr.String(), "error", err)
		}
	}
}

// ping sends a CoAP ping from a new port and waits for its RST (RFC 7252, section 4.3).
// Without an answer it returns when that time is over, or ctx is done.
func ping(ctx context.Context, addr netip.AddrPort, id uint16, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err := exchangePing(ctx, addr, id)
	if err != nil {
		<-ctx.Done() // what fails at once is not to be tried a thousand times a second
	}
	return err
}

func exchangePing(ctx context.Context, addr netip.AddrPort, id uint16) error {
	if addr.Addr().IsUnspecified() {
		loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		addr = netip.AddrPortFrom(loopback, addr.Port())
	}
	conn, err := new(net.Dialer).DialContext(ctx, "udp", addr.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write(coap.AppendHeader(nil, message.Confirmable, codes.Empty, id, nil)); err != nil {
		return err
	}
	buf := make([]byte, 16)
	n, err := conn.Read(buf)
	if err == nil && string(buf[:n]) != string(coap.AppendReset(nil, id)) {
		err = fmt.Errorf("%x is no answer to a ping", buf[:n])
	}
	return err
}
