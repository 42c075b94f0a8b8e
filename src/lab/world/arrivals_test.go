package world

import (
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/queue"
)

// arrivals are the reports that functions have been handed. Each counts once, however
// often its message is received.
type arrivals struct {
	lines map[envelope.Line]*arrival
	marks map[string]int // by mark: how often the processor has been handed a poison
}

type arrival struct {
	seenBy   map[string]bool // by function
	mark     string          // of poison
	reading  reading         // of a device; no thing: of none
	received int64
}

func newArrivals() arrivals {
	return arrivals{lines: map[envelope.Line]*arrival{}, marks: map[string]int{}}
}

// saw notes what a function gets to see, and how late. w.effects and the letters are
// judged by what the processor has been handed.
func (w *world) saw(function string, event events.SQSEvent) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range queue.Messages(event) {
		b, err := envelope.Open(m.Body)
		if err != nil {
			w.arrivals.marks[markOf(m.Body)]++
			continue
		}
		late := now.Sub(time.UnixMilli(m.FirstSent)) > time.Hour
		for line := range b.Lines() {
			a := w.arrivals.lines[line]
			if a == nil {
				line = envelope.Line(strings.Clone(string(line))) // not the whole body
				a = w.newArrival(line)
				w.arrivals.lines[line] = a
			}
			if !a.seenBy[function] {
				a.seenBy[function] = true
				w.counts["reports at "+function]++
				if late {
					w.counts["an hour late at "+function]++
				}
			}
			if function != "processor" {
				continue
			}
			if a.mark != "" {
				w.arrivals.marks[a.mark]++
			}
			if a.reading.thing != "" {
				w.effects.arrived(a.reading, min(a.received, m.FirstSent), b.Origin.Ingestor)
			}
		}
	}
}

// newArrival reads a line; w.mu is held.
func (w *world) newArrival(line envelope.Line) *arrival {
	a := &arrival{seenBy: map[string]bool{}}
	if strings.Contains(string(line), "poison-") {
		a.mark = markOf(string(line))
	}
	if r, err := line.Report(); err == nil {
		a.reading, a.received = w.effects.readings[r.ID+" "+string(r.Payload)], r.Received
	}
	return a
}

// checkLetters finds the poison of which there are more letters than there were
// deliveries to the processor. A death between the letter and the end of the message
// brings a second letter, as SQS brings the message a second time; nothing else does.
func (w *world) checkLetters(letters []string) {
	found := map[string]int{}
	for _, letter := range letters {
		found[markOf(letter)]++
	}
	for mark, n := range found {
		if handed := w.arrivals.marks[mark]; n > handed {
			w.faulty("%d letters of %s, which the processor was handed %d times", n, mark, handed)
		}
	}
}
