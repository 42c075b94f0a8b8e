package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"coap-for-aws-iot/src/device"
	"coap-for-aws-iot/src/device/client"
	"coap-for-aws-iot/src/lab"
)

// defaultEndpoints are the addresses of a lab, in firmware order.
var defaultEndpoints = [device.N]string{"127.0.0.1:5683", "127.0.0.2:5683", "127.0.0.3:5683", "127.0.0.4:5683"}

type sendCommand struct {
	Device    string         `arg:"" name:"type/id" help:"Thing type and thing name, such as th/a1."`
	Payload   string         `arg:"" help:"What the device says, such as '{\"t\":21.5}'; {n} in it is the number of the check-in. - for the bytes of stdin, as they are."`
	Endpoint  []string       `placeholder:"ADDRESS" sep:"none" help:"Ingestor to report to; up to four times, neighbours in different regions. Default: the four of the lab, 127.0.0.1 to 127.0.0.4."`
	Every     *time.Duration `placeholder:"TIME" help:"A stream: check in again and again with so much sleep, an eighth more or less, between. Ctrl-C ends it."`
	Count     int            `placeholder:"N" help:"End the stream after so many check-ins."`
	HardLimit time.Duration  `placeholder:"TIME" help:"Send NONs, which nobody acknowledges, while the last acknowledgement is younger than this, such as 4h. Default: each report is a CON and verified."`
	Window    time.Duration  `placeholder:"TIME" default:"1s" help:"How long to listen at least (${default}); 4s has room for another address in the same check-in."`
	State     string         `placeholder:"FILE" help:"Keep here what the device must not forget. One file for each device, one process at a time: FILE.lock beside it sees to that."`
	Format    string         `placeholder:"FORMAT" help:"json, cbor (typed as JSON), text, octets (typed in hex), or the number of a Content-Format. Default: json for an object or array, else text."`
	Urgent    bool           `help:"Send whatever the policy holds back, and as a CON."`
	JSON      bool           `name:"json" help:"Write a line of JSON for each check-in."`
}

// Help is what --help says beside the flags.
func (sendCommand) Help() string {
	return `It follows the delivery policy of docs/device.md, as firmware does: which address comes next, how long to listen, when to send again, whom to leave alone.

With --state the device has a memory from call to call: its next address, the round trip, who asked to be left alone, and the numbers of its reports (s=1f4), by which copies are recognised. Without it everything is forgotten with the process, and because numbers would go back then, none are sent.

The exit code is 0 only if the last check-in was delivered (2.04: a queue holds the report), or sent as --hard-limit wants it: unverified. It is 1 if it was not, and 2 if the call is wrong: then nothing was sent.`
}

// Run is a device for one check-in, or a stream of them.
func (c *sendCommand) Run(ctx context.Context, s streams) error {
	text, err := readText(c.Payload, s.in)
	if err != nil {
		return err
	}
	if _, _, err := text.encode(1, c.Format); err != nil {
		return usage{err}
	}
	config, err := c.config()
	if err != nil {
		return usage{err}
	}
	return c.report(ctx, config, text, s)
}

// report says what became of each check-in.
func (c *sendCommand) report(ctx context.Context, config client.Config, text text, s streams) (err error) {
	if c.State != "" {
		file, err := openState(c.State)
		if err != nil {
			return err
		}
		defer file.Close()
		config.Memory = owned{file, config.Type + "/" + config.ID}
	}
	d, err := client.New(config)
	if err != nil {
		return c.blame(err)
	}
	defer func() {
		if closing := d.Close(); err == nil {
			err = closing
		}
	}()

	stream := stream{device: d, text: text, format: c.Format, urgent: c.Urgent, n: 1}
	if c.Every != nil {
		stream.n = c.Count // 0: no end
	}
	if c.JSON {
		stream.show = jsonLines(s.out, c.Every != nil)
		return stream.run(ctx)
	}
	told := narrator{config: config, every: c.Every != nil, out: s.out}
	if c.Every == nil {
		stream.show = told.tell
		return stream.run(ctx)
	}
	tally := newTally(config.Endpoints)
	stream.show = func(n int, r client.Result, state device.State) error {
		tally.add(r)
		return told.tell(n, r, state)
	}
	err = stream.run(ctx)
	return errors.Join(err, tally.write(s.out))
}

// config is the flags as the client wants them. A firmware's constants are brought into
// range in silence; a person is told.
func (c *sendCommand) config() (client.Config, error) {
	var config client.Config
	var ok bool
	if config.Type, config.ID, ok = strings.Cut(strings.TrimPrefix(c.Device, "/"), "/"); !ok {
		return config, fmt.Errorf("%s: want type/id, such as th/a1", c.Device)
	}
	switch {
	case c.Count < 0:
		return config, fmt.Errorf("--count %d: want 1 or more", c.Count)
	case c.Count > 0 && c.Every == nil:
		return config, errors.New("--count is for a stream: give --every too")
	case c.Window < time.Second || c.Window >= 45*time.Second:
		return config, fmt.Errorf("--window %v: want 1s or more, less than 45s", c.Window)
	}
	var err error
	if c.Every != nil {
		if config.Policy.Interval, err = wholeSeconds("--every", *c.Every); err != nil {
			return config, err
		}
		if *c.Every == 0 {
			return config, errors.New("--every 0s: want 1s or more")
		}
	}
	if config.Policy.HardLimit, err = wholeSeconds("--hard-limit", c.HardLimit); err != nil {
		return config, err
	}
	config.Policy.WindowMin = uint32(c.Window.Milliseconds())
	given := c.Endpoint
	if len(given) == 0 {
		given = defaultEndpoints[:]
	}
	for _, text := range given {
		at, err := parseEndpoint(text)
		if err != nil {
			return config, fmt.Errorf("--endpoint %w", err)
		}
		config.Endpoints = append(config.Endpoints, at)
	}
	_, err = client.New(config) // without a memory it looks at the configuration only
	return config, err
}

// wholeSeconds is a flag's time in seconds, 0 if it was not given.
func wholeSeconds(flag string, d time.Duration) (uint32, error) {
	const year = 366 * 24 * time.Hour
	if d < 0 || d > year || d%time.Second != 0 {
		return 0, fmt.Errorf("%s %s: want whole seconds, a year at most", flag, short(d))
	}
	return uint32(d / time.Second), nil
}

// parseEndpoint reads an address with or without coap://, with or without a port. It has to
// be the address of one host: the policy waits for one answer.
func parseEndpoint(typed string) (netip.AddrPort, error) {
	text := strings.TrimSuffix(strings.TrimPrefix(typed, "coap://"), "/")
	if addr, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(addr, "]") {
		text = strings.TrimSuffix(addr, "]")
	}
	at, err := lab.ParseAddress(text, 5683)
	if addr := at.Addr().Unmap(); err == nil && (addr.IsUnspecified() || addr.IsMulticast() || addr == broadcast) {
		return at, fmt.Errorf("%q: want the address of one ingestor, such as 127.0.0.1:5683", typed)
	}
	return at, err
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})
