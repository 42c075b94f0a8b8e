package ingestor

import (
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"coap-for-aws-iot/src/coap"
	"coap-for-aws-iot/src/queue"
	"coap-for-aws-iot/src/udp"
)

// hostileRow is a row of ../coap/testdata/hostile.txt, whose head describes it.
type hostileRow struct {
	name     string
	datagram []byte
	want     string
}

func hostileRows(t *testing.T) []hostileRow {
	t.Helper()
	text, err := os.ReadFile("../coap/testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	var rows []hostileRow
	for line := range strings.Lines(string(text)) {
		columns := strings.Split(strings.TrimSpace(line), " | ")
		if len(columns) != 4 || strings.HasPrefix(line, "#") {
			continue
		}
		datagram, err := hex.DecodeString(columns[1])
		if err != nil {
			t.Fatalf("%s: %v", columns[0], err)
		}
		rows = append(rows, hostileRow{columns[0], datagram, columns[2]})
	}
	if len(rows) < 73 {
		t.Fatalf("only %d hostile datagrams", len(rows))
	}
	return rows
}

// Each hostile datagram, over a real socket, gets the RFC's answer or silence, and the
// process lives.
func TestHostileOverRealSockets(t *testing.T) {
	sqs := &fakeSQS{}
	cfg := Config{Name: "use1-a", Region: "us-east-1", QueueURL: "q", DedupMiB: 1, Clock: Clock{Now: time.Now, Synchronised: func() bool { return true }}}
	sockets, err := udp.Listen(t.Context(), "127.0.0.1:0", 1, udp.DefaultReceiveBuffer)
	if err != nil {
		t.Fatal(err)
	}
	q := queue.New(queue.NewClient(aws.Config{
		Region: cfg.Region, HTTPClient: &http.Client{Transport: sqs}, Credentials: credentials.NewStaticCredentialsProvider("x", "x", ""),
	}), cfg.QueueURL)
	in := New(cfg, sockets, q, nil, slog.New(slog.NewJSONHandler(io.Discard, nil)))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		if err := in.Run(ctx); err != nil {
			t.Error(err)
		}
		close(ended)
	}()
	defer func() { stop(); <-ended }()

	conn, err := net.Dial("udp", sockets[0].LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	read := func() []byte {
		t.Helper()
		buf := make([]byte, 2000)
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		return buf[:n]
	}
	stored := 0
	for i, row := range hostileRows(t) {
		if _, err := conn.Write(row.datagram); err != nil {
			t.Fatal(err)
		}
		// A ping after it: what comes before the ping's RST is the answer, if there is one
		// at once. A report is answered when it is stored.
		pingID := uint16(0xf000 + i)
		if _, err := conn.Write(coap.AppendHeader(nil, message.Confirmable, codes.Empty, pingID, nil)); err != nil {
			t.Fatal(err)
		}
		var answers [][]byte
		for alive := false; !alive || row.want == "handle" && len(answers) == 0; {
			datagram := read()
			if string(datagram) == string(coap.AppendReset(nil, pingID)) {
				alive = true
				continue
			}
			answers = append(answers, datagram)
		}
		if row.want == "handle" {
			stored++
		}
		checkAnswer(t, row, answers)
	}
	if got := len(sqs.reports(t)); got != stored {
		t.Errorf("%d reports stored, want %d", got, stored)
	}
}

func checkAnswer(t *testing.T, row hostileRow, answers [][]byte) {
	t.Helper()
	if row.want == "silence" {
		if len(answers) != 0 {
			t.Errorf("%s: answered %x, want silence", row.name, answers)
		}
		return
	}
	if len(answers) != 1 {
		t.Errorf("%s: %d answers %x, want one", row.name, len(answers), answers)
		return
	}
	request, _ := coap.Parse(row.datagram)
	reply, reason := coap.Parse(answers[0])
	want := row.want
	if want == "handle" {
		want = "2.04"
	}
	kind, code := message.Acknowledgement, want
	switch {
	case want == "reset":
		kind, code = message.Reset, "0.00"
	case request.Type == message.NonConfirmable:
		kind = message.NonConfirmable
	}
	if reason != coap.None || reply.Type != kind || codeText(reply.Code) != code {
		t.Errorf("%s: answered %s, want %s", row.name, show(answers[0]), row.want)
	}
	if kind != message.NonConfirmable && reply.MessageID != request.MessageID {
		t.Errorf("%s: answered with Message ID %x, want %x", row.name, reply.MessageID, request.MessageID)
	}
	if len(answers[0]) > 3*len(row.datagram) {
		t.Errorf("%s: %d bytes are answered with %d", row.name, len(row.datagram), len(answers[0]))
	}
}

// A datagram with another ingestor's forged source makes at most one datagram between
// the two, whatever it is: nothing that we send is ever answered by one of us.
func TestIngestorsCannotBeMadeToTalk(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		var between atomic.Int64
		w.net = udp.NewNetwork(func(from, to netip.AddrPort, _ []byte) []time.Duration {
			if from == endpoint && to == other || from == other && to == endpoint {
				between.Add(1)
			}
			return []time.Duration{time.Millisecond}
		})
		stop := w.stop
		ended := w.ended
		first := w.start(endpoint, nil)
		stopFirst, firstEnded := w.stop, w.ended
		w.start(other, nil)
		defer func() {
			w.stop()
			<-w.ended
			stopFirst()
			<-firstEnded
			w.stop, w.ended, w.in = stop, ended, first
		}()
		forger, err := w.net.Listen(netip.MustParseAddrPort("0.0.0.0:5683"))
		if err != nil {
			t.Fatal(err)
		}
		defer forger.Close()
		sent := int64(0)
		for _, row := range hostileRows(t) {
			forger.WriteBatch([]udp.Packet{{Buf: row.datagram, Peer: endpoint, Local: other.Addr()}})
			sent++
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := between.Load(); n < sent+sent/2 || n > 2*sent {
			t.Errorf("%d datagrams between the two, of which %d are forged: want at most one answer each", n, sent)
		}
	})
}
