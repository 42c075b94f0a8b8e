package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"coap-for-aws-iot/src/lab"
)

type labCommand struct {
	CoAP string `name:"coap" placeholder:"ADDRESS" help:"Addresses of the four ingestors in firmware order, separated by commas, or one: the first of four ports in a row. Default: 127.0.0.1 to 127.0.0.4, port 5683; where there is only 127.0.0.1, its ports 5683 to 5686."`
	AWS  string `name:"aws" placeholder:"ADDRESS" default:"127.0.0.1:4566" help:"Address of the local AWS, which accepts any credentials (${default})."`
	Data string `name:"data" placeholder:"DIR" help:"Keep queues, things and shadows in this directory, crash-safe. Default: in memory."`
	HTTP string `name:"http" placeholder:"ADDRESS" default:"127.0.0.1:8080" help:"Address of the page (${default})."`
}

// Help is what --help says beside the flags.
func (labCommand) Help() string {
	return `Each ingestor, each Lambda container and the local AWS are processes of their own, in a clean environment: your own AWS credentials and profiles are never read. Without --data, queues, things and shadows live in memory and are gone when the lab stops. A line that begins with "ready" says that all is up; the log goes to stderr.`
}

// Run starts a lab and stops it when ctx is done.
func (c *labCommand) Run(ctx context.Context, s streams) error {
	o := lab.Options{Data: c.Data, Log: s.err}
	var err error
	if c.CoAP != "" {
		if o.CoAP, err = lab.ParseEndpoints(c.CoAP); err != nil {
			return usagef("--coap %w", err)
		}
	}
	if o.AWS, err = lab.ParseAddress(c.AWS, 4566); err != nil {
		return usagef("--aws %w", err)
	}
	if o.HTTP, err = lab.ParseAddress(c.HTTP, 8080); err != nil {
		return usagef("--http %w", err)
	}
	started := time.Now()
	l, err := lab.Start(ctx, o)
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Fprint(s.out, introduction(l.Plan(), os.Args[0]))
	fmt.Fprintf(s.out, "ready after %.1f s. Ctrl-C stops it.\n", time.Since(started).Seconds())
	<-ctx.Done()
	fmt.Fprintf(s.out, "stopping, within %v\n", lab.CloseLimit)
	return nil
}

// introduction says where everything is and what to try. program is how the user calls
// coapctl.
func introduction(p lab.Plan, program string) string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	for _, in := range p.Ingestors {
		fmt.Fprintf(table, "%s\tcoap://%s\t%s\n", in.Name, in.CoAP, in.Region)
	}
	fmt.Fprintf(table, "AWS\t%s\tboth regions, any credentials\n", p.Endpoint())
	fmt.Fprintf(table, "page\thttp://%s\n", p.HTTP)
	table.Flush()

	to := p.Ingestors[1].CoAP
	var sendTo, endpoint string
	for i, in := range p.Ingestors {
		if in.CoAP.String() != defaultEndpoints[i] {
			sendTo = " --endpoint " + p.Ingestors[0].CoAP.String()
		}
	}
	if p.Endpoint() != defaultEndpoint {
		endpoint = " --endpoint " + p.Endpoint()
	}
	fmt.Fprintf(&text, `
Try, in another terminal:

coap-client-notls -v 6 -m post -t 50 -e '{"t":21.5}' coap://%s/th/a1
AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x aws --region %s --endpoint-url %s iot-data get-thing-shadow --thing-name a1 /dev/stdout | cat
%s send%s th/a1 '{"t":22}' && %s things%s

`, shortest(to), lab.Primary, p.Endpoint(), program, sendTo, program, endpoint)
	return text.String()
}

// shortest leaves out CoAP's own port.
func shortest(at netip.AddrPort) string {
	if at.Port() == 5683 && at.Addr().Is4() {
		return at.Addr().String()
	}
	return at.String()
}
