// Command coapctl runs the whole system on this machine, is a device that reports, and
// shows what became of it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"coap-for-aws-iot/src/environ"
	"coap-for-aws-iot/src/lab"
)

type commands struct {
	Lab     labCommand     `cmd:"" help:"Run the whole system on this machine: four ingestors, both regions, AWS."`
	Send    sendCommand    `cmd:"" help:"Be a device: report once, or again and again."`
	Things  thingsCommand  `cmd:"" help:"List the things of AWS IoT, or show one thing's shadow."`
	Version versionCommand `cmd:"" help:"Print the version of this program."`
}

const description = `CoAP for AWS IoT: devices report over CoAP and find their state in AWS IoT.

Begin with "coapctl lab", which prints what to try next.

Exit codes: 0, it is done; 1, it did not work; 2, the call is wrong.`

func main() {
	if len(os.Args) == 3 && os.Args[1] == lab.ChildCommand {
		lab.Child(os.Args[2])
	}
	os.Exit(run(os.Args[1:], os.Environ(), streams{os.Stdin, os.Stdout, os.Stderr}))
}

// streams are what a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Exit codes beside 0.
const (
	exitFault = 1 // it did not work
	exitUsage = 2 // the call is wrong: it was not tried
)

// usage is an error of the call, found before anything was done.
type usage struct{ error }

func usagef(format string, args ...any) error { return usage{fmt.Errorf(format, args...)} }

// silent is an error about which the command has said all itself.
type silent struct{ error }

// run is main without the process. It returns the exit code.
func run(args, environment []string, s streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once

	complain := func(err error) { fmt.Fprintf(s.err, "coapctl: %v\n", err) }
	if names := environ.New(environment).Unknown(); len(names) > 0 {
		complain(fmt.Errorf("%s: not a variable of coapctl, which has flags only: unset it", strings.Join(names, ", ")))
		return exitUsage
	}
	helped := false
	parser := kong.Must(&commands{},
		kong.Name("coapctl"),
		kong.Description(description),
		kong.Writers(s.out, s.err),
		kong.Exit(func(int) { helped = true }), // after --help
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(s),
		kong.Vars{"endpoint": defaultEndpoint, "region": lab.Primary},
	)
	parsed, err := parser.Parse(args)
	switch {
	case helped:
		return 0
	case err != nil:
		complain(fmt.Errorf("%w: see %s --help", err, asked(err)))
		return exitUsage
	}
	if err := parsed.Run(); err != nil {
		if !errors.As(err, new(silent)) {
			complain(err)
		}
		if errors.As(err, new(usage)) {
			return exitUsage
		}
		return exitFault
	}
	return 0
}

// asked returns the command that a parse error is about, as the user would type it.
func asked(err error) string {
	if parse, ok := err.(*kong.ParseError); ok && parse.Context.Command() != "" {
		return "coapctl " + strings.Fields(parse.Context.Command())[0]
	}
	return "coapctl"
}
