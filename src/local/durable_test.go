package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"go.etcd.io/bbolt"
)

func openAt(t testing.TB, dir string) (*Service, clients) {
	t.Helper()
	s, err := Open(Options{Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, inProcess(s)
}

// copyData copies a data directory as it is now, as if the process had been killed.
func copyData(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// snapshot is all that a service holds, in a form that can be compared.
func snapshot(s *Service) map[string]any {
	all := make(map[string]any)
	text := func(v any) string {
		b, _ := json.Marshal(v)
		return string(b)
	}
	for name, g := range s.regions {
		for _, q := range g.queues.all() {
			all[name+"/"+q.name] = text(queueRecord{ID: q.id, Created: q.created, Modified: q.modified, Purged: q.purged, Settings: q.settings.text(), Tags: q.tags})
			for seq, m := range q.messages {
				all[fmt.Sprint(name, "/", q.name, "/", seq)] = string(m.record(m.visible)) + fmt.Sprint(m.receipt, m.receivesHere, m.received.UnixNano(), m.hidden, m.delayed)
			}
			all[name+"/"+q.name+"/counts"] = fmt.Sprint(len(q.ready.of), len(q.hidden.of), q.delayed, len(q.aged.of))
		}
		for _, t := range g.tasks.of {
			all[name+"/task/"+t.ID] = text(t)
		}
		for thing, t := range g.registry.things {
			all[name+"/thing/"+thing] = text(t)
		}
		for typeName, t := range g.registry.types {
			all[name+"/type/"+typeName] = text(t)
		}
		for i := range g.shadows.shard {
			for k, sh := range g.shadows.shard[i].of {
				all[name+"/shadow/"+k.thing+"/"+k.name] = text(shadowRecord{sh.desired, sh.reported, sh.desiredMeta, sh.reportedMeta, sh.version, sh.deletedAt})
			}
		}
	}
	return all
}

// fill puts something of every kind into a service.
func fill(t testing.TB, c clients) {
	t.Helper()
	ctx := t.Context()
	do := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	makeQueue(t, c, "dlq", map[string]string{"MessageRetentionPeriod": "1209600"})
	policy := redrive("arn:aws:sqs:us-east-1:000000000000:dlq", 1)
	url := makeQueue(t, c, "q", map[string]string{"VisibilityTimeout": "0", "RedrivePolicy": policy})
	do(c.sqs.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: url, Tags: map[string]string{"k": "v"}}))
	do(c.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("goes to the DLQ")}))
	receive(t, c, url, 0)
	receive(t, c, url, 0)
	do(c.sqs.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: map[string]string{"VisibilityTimeout": "1000"}}))
	do(c.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("in flight"),
		MessageAttributes: map[string]types.MessageAttributeValue{"a": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 255}}}}))
	receive(t, c, url, 0)
	for i := range 20 {
		do(c.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String(fmt.Sprint("ready ", i)), DelaySeconds: int32(i % 2 * 900)}))
	}
	gone := makeQueue(t, c, "gone", nil)
	do(c.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: gone, MessageBody: aws.String("gone")}))
	do(c.sqs.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: gone}))
	purged := makeQueue(t, c, "purged", nil)
	do(c.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: purged, MessageBody: aws.String("gone")}))
	do(c.sqs.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: purged}))
	do(c.iot.CreateThingType(ctx, &iot.CreateThingTypeInput{ThingTypeName: aws.String("th")}))
	do(c.iot.CreateThing(ctx, &iot.CreateThingInput{ThingName: aws.String("a"), ThingTypeName: aws.String("th")}))
	do(c.iot.CreateThing(ctx, &iot.CreateThingInput{ThingName: aws.String("gone")}))
	do(c.iot.DeleteThing(ctx, &iot.DeleteThingInput{ThingName: aws.String("gone")}))
	do(c.iot.DeprecateThingType(ctx, &iot.DeprecateThingTypeInput{ThingTypeName: aws.String("th")}))
	do(updateShadow(t, c, "a", `{"state":{"desired":{"x":1.50},"reported":{"l":[1,{"y":"<é>"}],"n":12345678901234567890}}}`))
	do(updateShadow(t, c, "b", `{"state":{"reported":{"x":1}}}`))
	do(c.data.DeleteThingShadow(ctx, &iotdataplane.DeleteThingShadowInput{ThingName: aws.String("b")}))
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	s, c := openAt(t, dir)
	fill(t, c)
	before := snapshot(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := trySend(t, c, aws.String("http://local.test/us-east-1/000000000000/q")); err == nil {
		t.Error("a closed service took a message")
	}
	s, c = openAt(t, dir)
	if after := snapshot(s); !reflect.DeepEqual(after, before) {
		for k := range before {
			if after[k] != before[k] {
				t.Errorf("%s:\nwas %v\nis  %v", k, before[k], after[k])
			}
		}
		t.Errorf("%d entries, were %d", len(after), len(before))
	}
	doc, err := updateShadow(t, c, "b", `{"state":{}}`)
	if err != nil || doc["version"] != 3.0 {
		t.Errorf("version of a shadow that was deleted: %v, %v", doc["version"], err)
	}
}

func TestReceiptHandleSurvives(t *testing.T) {
	dir := t.TempDir()
	s, c := openAt(t, dir)
	url := makeQueue(t, c, "q", nil)
	send(t, c, url, "m")
	m := receive(t, c, url, 0)[0]
	s.Close()
	_, c = openAt(t, dir)
	if got := receive(t, c, url, 0); len(got) != 0 {
		t.Errorf("received %q though it is in flight", bodies(got))
	}
	if _, err := c.sqs.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle}); err != nil {
		t.Fatal(err)
	}
	s, _ = openAt(t, t.TempDir())
	if n := len(s.region("us-east-1").queues.all()); n != 0 {
		t.Errorf("another directory has %d queues", n)
	}
}

func TestMoveTaskSurvives(t *testing.T) {
	dir := t.TempDir()
	s, c := openAt(t, dir)
	dlq := makeQueue(t, c, "dlq", nil)
	url := makeQueue(t, c, "q", map[string]string{"RedrivePolicy": redrive("arn:aws:sqs:us-east-1:000000000000:dlq", 1)})
	for range 30 {
		send(t, c, dlq, "m")
	}
	if _, err := c.sqs.StartMessageMoveTask(t.Context(), &sqs.StartMessageMoveTaskInput{
		SourceArn: aws.String("arn:aws:sqs:us-east-1:000000000000:dlq"), DestinationArn: aws.String("arn:aws:sqs:us-east-1:000000000000:q"),
		MaxNumberOfMessagesPerSecond: aws.Int32(100)}); err != nil {
		t.Fatal(err)
	}
	s.Close() // after the first ten
	_, c = openAt(t, dir)
	total := 0
	for begin := time.Now(); total < 30 && time.Since(begin) < 10*time.Second; {
		total += len(receive(t, c, url, 1))
	}
	if total != 30 {
		t.Errorf("%d messages arrived, want 30", total)
	}
}

// TestDurableAtTheAnswer copies the data file after each answer, without closing anything.
func TestDurableAtTheAnswer(t *testing.T) {
	dir := t.TempDir()
	_, c := openAt(t, dir)
	url := makeQueue(t, c, "q", nil)
	_, err := c.sqs.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: batchOf("m")[:2]})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := updateShadow(t, c, "a", `{"state":{"reported":{"x":1}}}`); err != nil {
		t.Fatal(err)
	}
	if _, err := c.iot.CreateThing(t.Context(), &iot.CreateThingInput{ThingName: aws.String("a")}); err != nil {
		t.Fatal(err)
	}
	_, killed := openAt(t, copyData(t, dir))
	got := receive(t, killed, url, 0)
	if len(got) != 2 {
		t.Errorf("%d messages after the copy, want 2", len(got))
	}
	getShadow(t, killed, "a")
	if _, err := killed.iot.DescribeThing(t.Context(), &iot.DescribeThingInput{ThingName: aws.String("a")}); err != nil {
		t.Error(err)
	}
	for _, m := range receive(t, c, url, 0) {
		if _, err := c.sqs.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: m.ReceiptHandle}); err != nil {
			t.Fatal(err)
		}
	}
	_, killed = openAt(t, copyData(t, dir))
	if got := receive(t, killed, url, 0); len(got) != 0 {
		t.Errorf("received %q, which was deleted", bodies(got))
	}
}

// TestWriteFails takes the file away under the service: the answer is an error, and so are
// all after it, because memory is ahead of the file.
func TestWriteFails(t *testing.T) {
	s, c := openAt(t, t.TempDir())
	url := makeQueue(t, c, "q", nil)
	s.journal.db.Close()
	for range 2 {
		wantError(t, "send", trySend(t, c, url), "InternalFailure", 500)
	}
	_, err := c.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url})
	wantError(t, "receive", err, "InternalFailure", 500)
	_, err = updateShadow(t, c, "a", `{"state":{}}`)
	wantError(t, "update", err, "InternalFailureException", 500)
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	openAt(t, dir)
	if _, err := Open(Options{Data: dir}); err == nil || !strings.Contains(err.Error(), "another process uses it") {
		t.Errorf("second open: %v", err)
	}
}

func TestOtherAccount(t *testing.T) {
	dir := t.TempDir()
	s, _ := openAt(t, dir)
	s.Close()
	if _, err := Open(Options{Data: dir, Account: "123456789012"}); err == nil || !strings.Contains(err.Error(), "it is of account 000000000000, not 123456789012") {
		t.Errorf("open: %v", err)
	}
}

// TestDamage breaks a data file in many ways. Each is refused as damage, or did not touch
// what the file says; it is never read as something else.
func TestDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, c := openAt(t, dir)
	fill(t, c)
	url := makeQueue(t, c, "many", nil)
	for range 30 { // some pages of messages, and long ones
		if _, err := c.sqs.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: batchOf(strings.Repeat("m", 500))}); err != nil {
			t.Fatal(err)
		}
	}
	send(t, c, url, strings.Repeat("long", 10_000))
	want := snapshot(s)
	s.Close()
	good, err := os.ReadFile(filepath.Join(dir, dataFile))
	if err != nil {
		t.Fatal(err)
	}
	pageSize := os.Getpagesize()
	refused, harmless := 0, 0
	try := func(what string, bytes []byte) {
		t.Helper()
		broken := t.TempDir()
		if err := os.WriteFile(filepath.Join(broken, dataFile), bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(Options{Data: broken})
		switch {
		case errors.Is(err, errDamaged) && strings.Contains(err.Error(), dataFile):
			refused++
		case err != nil:
			t.Errorf("%s: %v, which does not say that it is damaged", what, err)
		case !reflect.DeepEqual(snapshot(s), want):
			t.Errorf("%s: it was read as something else", what)
		default:
			harmless++
		}
		if s != nil {
			s.Close()
		}
		if after, _ := os.ReadFile(filepath.Join(broken, dataFile)); err != nil && !reflect.DeepEqual(after, bytes) {
			t.Errorf("%s: refused, and changed", what)
		}
	}
	for _, n := range []int{0, 1, 100, pageSize, 2 * pageSize, 3*pageSize + 17, len(good) / 2, len(good) - 1} {
		try(fmt.Sprintf("cut to %d bytes", n), good[:n])
	}
	try("zeros", make([]byte, len(good)))
	if harmless > 1 { // the last page may be a free one
		t.Errorf("%d cuts were not seen", harmless)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 100 {
		at := random.IntN(len(good))
		broken := append([]byte(nil), good...)
		broken[at] ^= byte(1 + random.IntN(255))
		try(fmt.Sprintf("seed %d: byte %d of page %d", seed, at%pageSize, at/pageSize), broken)
	}
	for page := range len(good) / pageSize {
		broken := append([]byte(nil), good...)
		clear(broken[page*pageSize : (page+1)*pageSize])
		try(fmt.Sprintf("page %d lost", page), broken)
	}
	t.Logf("%d refused, %d harmless", refused, harmless)
}

// TestGroupCommit: callers that come while a commit is going on share the next one.
func TestGroupCommit(t *testing.T) {
	s, c := openAt(t, t.TempDir())
	url := makeQueue(t, c, "q", nil)
	lastCommit := func() (n int) {
		s.journal.db.View(func(tx *bbolt.Tx) error {
			n = tx.ID() // counts the transactions that wrote
			return nil
		})
		return n
	}
	before := lastCommit()
	slow, err := s.journal.db.Begin(true) // as a commit that takes long
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	const senders = 32
	for range senders {
		wg.Go(func() {
			if err := trySend(t, c, url); err != nil {
				t.Error(err)
			}
		})
	}
	q := s.region("us-east-1").queues.get("q")
	for here := 0; here < senders; time.Sleep(time.Millisecond) {
		q.mu.Lock()
		here = len(q.messages)
		q.mu.Unlock()
	}
	if err := slow.Rollback(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if n := lastCommit() - before; n > 2 { // that of the first caller, and that of all others
		t.Errorf("%d commits for %d callers", n, senders)
	}
}

// TestRecordLost takes one whole record out of the file, as a page that is read as shorter
// than it is would: nothing else in the file is wrong.
func TestRecordLost(t *testing.T) {
	dir := t.TempDir()
	s, c := openAt(t, dir)
	fill(t, c)
	s.Close()
	db, err := bbolt.Open(filepath.Join(dir, dataFile), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucketShadows))
		k, _ := b.Cursor().First()
		return b.Delete(k)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Data: dir}); !errors.Is(err, errDamaged) {
		t.Errorf("open: %v, want that it is damaged", err)
	}
}

func TestOldDeletedShadowsAreForgotten(t *testing.T) {
	dir := t.TempDir()
	s, c := openAt(t, dir)
	fill(t, c) // deletes the shadow of b
	s.Close()
	key := shadowKey{thing: "b"}
	for _, step := range []struct {
		later time.Duration
		kept  bool
	}{{47 * time.Hour, true}, {48 * time.Hour, false}, {0, false}} {
		s, err := Open(Options{Data: dir, Now: func() time.Time { return time.Now().Add(step.later) }})
		if err != nil {
			t.Fatal(err)
		}
		if kept := s.region("us-east-1").shadows.of("b").of[key] != nil; kept != step.kept {
			t.Errorf("%v later: kept is %v, want %v", step.later, kept, step.kept)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
