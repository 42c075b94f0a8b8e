package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// initLimit is how long a container may take until it asks for its first invocation (AWS
// Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle").
const initLimit = 10 * time.Second

// A container is one execution environment of a function: a process, and the Runtime API
// that it alone sees.
type container struct {
	number int // counts the function's containers from 1
	child  running
	api    *runtimeAPI
	server *http.Server
}

var (
	errTimedOut = errors.New("timed out")
	errInit     = errors.New("did not ask for an event in time")
)

// startContainer starts a container and waits until it asks for its first invocation.
// start is given the address for AWS_LAMBDA_RUNTIME_API.
func startContainer(ctx context.Context, number int, start func(api string) (running, error)) (*container, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open the runtime API: %w", err)
	}
	c := &container{number: number, api: newRuntimeAPI()}
	c.server = &http.Server{Handler: c.api}
	go c.server.Serve(listener) // until end closes it
	if c.child, err = start(listener.Addr().String()); err != nil {
		c.server.Close()
		return nil, err
	}
	limit := time.NewTimer(initLimit)
	defer limit.Stop()
	select {
	case <-c.api.ready:
		return c, nil
	case err = <-c.api.fault:
	case <-c.child.done():
		err = fmt.Errorf("init: %w", c.exit())
		select {
		case err = <-c.api.fault: // it has said why
		default:
		}
	case <-limit.C:
		err = fmt.Errorf("init: %w", errInit)
	case <-ctx.Done():
		err = ctx.Err()
	}
	c.end()
	return nil, err
}

// invoke runs one invocation. A container that died, or exceeded timeout and was killed,
// is not alive any more; handed says whether it had got the event by then.
func (c *container) invoke(inv *invocation, timeout time.Duration) (response []byte, handed bool, err error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	limit := time.AfterFunc(timeout, func() {
		cancel(fmt.Errorf("%w after %v", errTimedOut, timeout))
	})
	defer limit.Stop()
	answered := make(chan struct{})
	defer close(answered)
	go func() {
		select {
		case <-c.child.done():
			cancel(c.exit())
		case <-answered:
		}
	}()
	response, handed, err = c.api.invoke(ctx, inv)
	if errors.Is(err, errTimedOut) {
		c.end()
	}
	return response, handed, err
}

func (c *container) alive() bool {
	select {
	case <-c.child.done():
		return false
	default:
		return true
	}
}

// exit says how the process ended.
func (c *container) exit() error {
	return fmt.Errorf("the container's process ended: %s", c.child.fate())
}

// end kills the container, as Lambda does, and returns when it is dead.
func (c *container) end() {
	c.child.kill()
	<-c.child.done()
	c.server.Close()
}
