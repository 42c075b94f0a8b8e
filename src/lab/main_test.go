package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// The children of a lab in a test are the test's own binary.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == ChildCommand {
		switch os.Args[2] {
		case roleTest:
			go endWithParent(os.Stdin)
			testFunction()
		case roleLab:
			aloneLab()
		case roleRegion:
			go endWithParent(os.Stdin)
			serveRegion()
		}
		Child(os.Args[2])
	}
	os.Exit(m.Run())
}

// roleTest is a function that does what its event says.
const roleTest = "test"

// initVariable says how its init phase goes wrong: "exit", "hang" or "deaf", which is to
// hang and not to hear SIGTERM.
const initVariable = "TEST_INIT"

// An order is an event of the test function's.
type order struct {
	Do string `json:"do"`
	N  int    `json:"n"`
}

// A reply says who has obeyed.
type reply struct {
	PID      int    `json:"pid"`
	ID       string `json:"id"`  // of the request
	ARN      string `json:"arn"` // of the function
	LeftMS   int64  `json:"leftMs"`
	Function string `json:"function"`
	Pad      string `json:"pad"`
}

func testFunction() {
	switch os.Getenv(initVariable) {
	case "exit":
		fmt.Println("cannot start")
		os.Exit(7)
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
		fallthrough
	case "hang":
		select {}
	}
	awslambda.Start(func(ctx context.Context, event json.RawMessage) (reply, error) {
		var o order
		if err := json.Unmarshal(event, &o); err != nil {
			return reply{}, err
		}
		deadline, _ := ctx.Deadline()
		lc, _ := lambdacontext.FromContext(ctx)
		r := reply{
			PID: os.Getpid(), ID: lc.AwsRequestID, ARN: lc.InvokedFunctionArn,
			LeftMS: time.Until(deadline).Milliseconds(), Function: lambdacontext.FunctionName,
		}
		switch o.Do {
		case "sleep":
			time.Sleep(time.Duration(o.N) * time.Millisecond)
		case "print":
			fmt.Println("printed by the function")
			fmt.Fprint(os.Stderr, "no line feed")
		case "pad":
			r.Pad = strings.Repeat("x", o.N)
		case "error":
			return reply{}, errors.New("as ordered")
		case "panic":
			panic("as ordered")
		case "exit":
			os.Exit(3)
		case "last": // answers, and dies before it asks for the next event
			time.AfterFunc(20*time.Millisecond, func() { os.Exit(0) })
		}
		return r, nil
	})
}
