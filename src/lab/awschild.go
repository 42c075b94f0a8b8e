package lab

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"coap-for-aws-iot/src/local"
)

// listenVariable says where the local AWS listens, dataVariable where it keeps everything;
// empty: in memory.
const (
	listenVariable = "COAP_LAB_AWS"
	dataVariable   = "COAP_LAB_DATA"
)

// serveAWS is the main function of the local AWS.
func serveAWS() {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	listener, err := net.Listen("tcp", os.Getenv(listenVariable))
	if err != nil {
		log.Error("the local AWS cannot start", "error", err)
		os.Exit(1)
	}
	service, err := local.Open(local.Options{Data: os.Getenv(dataVariable)})
	if err != nil {
		log.Error("the local AWS cannot start", "error", err)
		os.Exit(1)
	}
	server := &http.Server{Handler: service}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		service.Close() // ends the long polls
		// A connection that was never used is waited for as if it had a request.
		drain, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		server.Shutdown(drain)
		server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		log.Error("the local AWS ended", "error", err)
		os.Exit(1)
	}
	<-stopped
}
