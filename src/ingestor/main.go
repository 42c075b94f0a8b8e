package ingestor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"coap-for-aws-iot/src/cloudwatch"
	"coap-for-aws-iot/src/environ"
	"coap-for-aws-iot/src/queue"
	"coap-for-aws-iot/src/udp"
)

// Main is the daemon: it reads the environment, serves until SIGTERM or SIGINT, drains
// and returns. Faults of its configuration are logged, each on a line of its own, and
// end the process with status 2; what cannot be opened, or breaks, ends it with status 1.
func Main() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	e := environ.New(os.Environ())
	cfg := FromEnviron(e)
	if err := e.ErrStrict(); err != nil {
		for _, fault := range err.(interface{ Unwrap() []error }).Unwrap() {
			log.Error("configuration", "error", fault)
		}
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	var put cloudwatch.Put
	if cfg.LogGroup != "" {
		var err error
		if put, err = cloudwatch.Open(ctx, cfg.Region, cfg.LogGroup, cfg.Name); err != nil {
			log.Error("the ingestor cannot start", "error", err)
			os.Exit(1)
		}
	}
	if run(ctx, cfg, os.Stdout, put) != nil {
		os.Exit(1)
	}
}

// run serves with a log on stdout and, unless put is nil, in CloudWatch too. The error is
// logged.
func run(ctx context.Context, cfg Config, stdout io.Writer, put cloudwatch.Put) error {
	out := stdout
	var stream *cloudwatch.Stream
	if put != nil {
		stream = cloudwatch.New(put)
		out = io.MultiWriter(stream, stdout)
	}
	log := slog.New(slog.NewJSONHandler(out, nil)).With("ingestor", cfg.Name)
	var sending sync.WaitGroup
	life, end := context.WithCancel(context.WithoutCancel(ctx)) // until the last line is written
	if stream != nil {
		sending.Go(func() { stream.Run(life, log) })
	}
	err := serve(ctx, cfg, log, stream)
	if err != nil {
		log.Error("the ingestor ends", "error", err)
	}
	end()
	sending.Wait()
	return err
}

// serve opens what cfg names and runs an ingestor until ctx is done. Its metrics go to
// stream, unless that is nil.
func serve(ctx context.Context, cfg Config, log *slog.Logger, stream *cloudwatch.Stream) error {
	q, err := queue.Open(ctx, cfg.Region, cfg.QueueURL)
	if err != nil {
		return err
	}
	var fallback *queue.Queue
	if cfg.FallbackQueueURL != "" {
		if fallback, err = queue.Open(ctx, cfg.FallbackRegion, cfg.FallbackQueueURL); err != nil {
			return err
		}
	}
	admin, err := net.Listen("tcp", cfg.Admin)
	if err != nil {
		return fmt.Errorf("open the admin endpoint (COAP_ADMIN): %w", err)
	}
	defer admin.Close()
	var sockets []udp.Socket
	for _, address := range cfg.Listen {
		opened, err := udp.Listen(ctx, address, cfg.Sockets, udp.DefaultReceiveBuffer)
		if err != nil {
			for _, s := range sockets {
				s.Close()
			}
			return fmt.Errorf("open the CoAP sockets (COAP_LISTEN): %w", err)
		}
		sockets = append(sockets, opened...)
	}
	log.Info("listening", "addresses", cfg.Listen, "queue", cfg.QueueURL, "fallback", cfg.FallbackQueueURL, "receive_buffer", sockets[0].ReceiveBuffer())
	return operate(ctx, New(cfg, sockets, q, fallback, log), admin, stream)
}

// operate runs an ingestor with its admin endpoint and what a service manager expects, until
// ctx is done or it fails.
func operate(ctx context.Context, in *Ingestor, admin net.Listener, stream *cloudwatch.Stream) error {
	log := in.log
	server := &http.Server{Handler: in.admin(), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(admin); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the admin endpoint ended: restart the ingestor to have it again", "error", err)
		}
	}()
	defer server.Close()

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	notify(log, daemon.SdNotifyReady)
	var running sync.WaitGroup
	running.Go(func() { in.watch(ctx) })
	running.Go(func() {
		<-ctx.Done()
		log.Info("stopping")
		notify(log, daemon.SdNotifyStopping)
	})
	var x *exporter
	if stream != nil {
		x = newExporter(in, stream, stream.Dropped)
		running.Go(func() { x.run(ctx) })
	}
	err := in.Run(ctx)
	stop()
	running.Wait()
	if x != nil {
		x.write(time.Now()) // what happened while it drained
	}
	log.Info("stopped")
	return err
}
