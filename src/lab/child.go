package lab

import (
	"io"
	"os"
	"syscall"
	"time"

	"coap-for-aws-iot/src/ingestor"
	"coap-for-aws-iot/src/processor"
	"coap-for-aws-iot/src/replicator"
)

// ChildCommand is the first argument of a child of the lab, before its role. A program
// that starts a lab hands over to [Child] when it sees it, before it reads anything else.
const ChildCommand = "child"

// Child is the main function of a child: the role's real main, configured by environment
// only, as in the cloud. It ends the process.
func Child(role string) {
	go endWithParent(os.Stdin)
	switch role {
	case roleAWS:
		serveAWS()
	case roleIngestor:
		ingestor.Main()
	case "processor":
		processor.Main()
	case "replicator":
		replicator.Main()
	default:
		os.Stderr.WriteString("not a role of the lab's: " + role + "\n")
		os.Exit(2)
	}
	os.Exit(0)
}

// Roles of children; the others are the names of functions.
const (
	roleAWS      = "aws"
	roleIngestor = "ingestor"
)

// drainLimit is how long a child has between the wish that it stop and its end.
const drainLimit = 3 * time.Second

// endWithParent waits for the end of stdin, which is a pipe that only the lab holds. The
// lab closes it to stop the child; the kernel closes it if the lab dies, by kill -9 too,
// so no child outlives its lab. The child then gets the signal by which systemd would stop
// it, and drainLimit to obey.
func endWithParent(stdin io.Reader) {
	io.Copy(io.Discard, stdin)
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Signal(syscall.SIGTERM)
	}
	if err == nil {
		time.Sleep(drainLimit)
	}
	os.Exit(1) // where there are no signals, or the child does not obey
}
