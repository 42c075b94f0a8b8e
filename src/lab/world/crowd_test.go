package world

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"

	"coap-for-aws-iot/src/envelope"
	"coap-for-aws-iot/src/lab/oracle"
	"coap-for-aws-iot/src/processor"
)

const (
	crowdName = "crowd"
	tooMany   = 20 // that the processor may not create in that minute
	known     = 10 // that somebody has registered
)

// newcomers are more than the processor may create in a minute.
func (w *world) newcomers() int { return w.plan.createPerMinute() + tooMany }

// crowd lets newcomers report at once, and some that need not be created.
func (w *world) crowd() {
	if w.plan.create == processor.CreateNone {
		return
	}
	registry := iot.NewFromConfig(w.operator(primary))
	b := envelope.AppendHeader(nil, envelope.Origin{Ingestor: "use1-a", Region: primary})
	for i := range w.newcomers() + known {
		name, mark := crowdName+strconv.Itoa(i), crowdMark(i)
		if i < w.newcomers() {
			w.poison(mark, "create-budget")
		} else if _, err := registry.CreateThing(w.t.Context(), &iot.CreateThingInput{ThingName: &name, ThingTypeName: aws.String("th")}); err != nil {
			w.t.Fatal(err)
		}
		b = envelope.AppendReport(b, &envelope.Report{
			Received: time.Now().UnixMilli(), From: netip.MustParseAddrPort("198.51.100.250:1"), Type: "th", ID: name, Format: 50,
			Payload: fmt.Appendf(nil, `{"mark":"%s"}`, mark),
		})
	}
	w.send(string(b), time.Now())
}

func crowdMark(i int) string { return fmt.Sprintf("poison-crowd-%d-", i) }

// checkCrowd finds each newcomer either in a shadow, which is forgotten then, or in a
// dead-letter queue, and no fewer in shadows than the budget allows. AWS IoT does not say
// whether it has added a thing of the same type, so what is known may take from the budget,
// but is never refused.
func (w *world) checkCrowd(shadows map[string]oracle.Shadow, letters []string) {
	if w.plan.create == processor.CreateNone {
		return
	}
	refused := map[string]bool{}
	for _, letter := range letters {
		refused[markOf(letter)] = true
	}
	n := 0
	for i := range w.newcomers() + known {
		name, mark := crowdName+strconv.Itoa(i), crowdMark(i)
		applied := shadows[name].Reported["mark"] == mark
		delete(shadows, name)
		switch {
		case applied == refused[mark], refused[mark] && i >= w.newcomers():
			w.faulty("%s: applied %v, refused %v", name, applied, refused[mark])
		case applied:
			n++
		}
	}
	if n < w.plan.createPerMinute() {
		w.faulty("only %d of a crowd were let in, and %d in a minute may be", n, w.plan.createPerMinute())
	}
}
