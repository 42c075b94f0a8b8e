package world

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

var (
	errUnreachable = errors.New("no route to host")
	errKilled      = errors.New("the process is dead")
)

// A wire is the way from one process to AWS, below the real SDK. Once the process is
// killed nothing more gets out and nothing comes back.
type wire struct {
	world  *world
	host   string // the instance or function, such as "use1-a" or "processor"
	region string // where it runs
	killed atomic.Bool
	// fuse, if it is above 0, is how many calls from now on kill the process: half of
	// the time before the call reaches AWS, half of the time before its answer is back.
	fuse atomic.Int32
	// hexed may kill the process or fail the call, by what the call is about.
	hexed func(*wire, *http.Request) error
}

// config is what the SDK needs to use the wire.
func (x *wire) config() aws.Config {
	return aws.Config{
		Region:       x.region,
		HTTPClient:   &http.Client{Transport: x},
		Credentials:  credentials.NewStaticCredentialsProvider("x", "x", ""),
		BaseEndpoint: aws.String("http://aws.invalid"),
	}
}

// target is the region that a request is signed for.
func target(r *http.Request) string {
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if parts := strings.Split(scope, "/"); len(parts) > 2 {
		return parts[2]
	}
	return ""
}

// service is the name that a request is signed for: sqs, iot or iotdata.
func service(r *http.Request) string {
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if parts := strings.Split(scope, "/"); len(parts) > 3 {
		return parts[3]
	}
	return ""
}

func (x *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w := x.world
	if x.killed.Load() {
		return nil, errKilled
	}
	at := target(r)
	if err := x.checkQueue(r, at); err != nil {
		return nil, err
	}
	cut := func() bool {
		return w.cut(x.region, at) || w.cut(x.host, service(r)) || w.cut(x.host, at)
	}
	late := false
	if x.fuse.Load() > 0 && x.fuse.Add(-1) == 0 {
		w.count("fault: " + x.host + " killed")
		if late = w.chance.happens("fuse", 0.5); !late {
			x.killed.Store(true)
			return nil, errKilled
		}
	}
	if x.hexed != nil {
		if err := x.hexed(x, r); err != nil {
			return nil, err
		}
	}
	oneWay := w.chance.between("latency "+x.host, time.Millisecond, 10*time.Millisecond)
	if at != x.region {
		oneWay += 38 * time.Millisecond
	}
	if err := sleep(r.Context(), oneWay); err != nil {
		return nil, err
	}
	if cut() {
		return nil, lost(r.Context(), w, x.host)
	}
	note := w.watchTopic(r)
	response, err := w.aws.RoundTrip(r)
	if err == nil && note != nil {
		note(response)
	}
	if late {
		x.killed.Store(true)
	}
	if x.killed.Load() {
		return nil, errKilled
	}
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusConflict && service(r) == "iotdata" { // the registry has one too
		w.count("409")
	}
	if err := sleep(r.Context(), oneWay); err != nil {
		return nil, err
	}
	if cut() { // the call took effect, and nobody hears of it
		return nil, lost(r.Context(), w, x.host)
	}
	return response, nil
}

// checkQueue finds the call that AWS would take to another queue than the one it names: a
// client reaches the endpoint of the region that it signs for, and there is a queue of the
// same name in each. It also counts what goes to the fallback queue.
func (x *wire) checkQueue(r *http.Request, signed string) error {
	if service(r) != "sqs" {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	// No payload holds this: its quotes would be escaped.
	_, url, _ := bytes.Cut(body, []byte(`"QueueUrl":"`))
	if !bytes.HasPrefix(url, []byte("http://aws.invalid/"+signed+"/")) {
		x.world.faulty("%s signs for %s and means another queue: %.300s", x.host, signed, body)
	}
	if signed == x.region || x.host == "replicator" {
		return nil
	}
	var in struct{ Entries []json.RawMessage }
	if err := json.Unmarshal(body, &in); err != nil {
		return err
	}
	x.world.add("bundles for a fallback queue", len(in.Entries))
	return nil
}

// lost is what a caller sees of a network that is cut: an error at once, or nothing.
func lost(ctx context.Context, w *world, host string) error {
	if w.chance.happens("refused "+host, 0.5) {
		return errUnreachable
	}
	if err := sleep(ctx, time.Minute); err != nil {
		return err
	}
	return errUnreachable
}

// sleep waits, or returns ctx's error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var quiet = slog.New(slog.NewJSONHandler(io.Discard, nil))
