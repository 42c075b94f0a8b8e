package local

import (
	"crypto/rand"
	"encoding/binary"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The operations on whole queues (SQS API reference).

// nameRest is for how long the name of a deleted queue cannot be used again, and
// purgeRest for how long a queue cannot be purged again.
const (
	nameRest  = time.Minute
	purgeRest = time.Minute
)

type createQueueIn struct {
	QueueName  string
	Attributes map[string]string
	Tags       map[string]string `json:"tags"`
}

type queueURLOut struct{ QueueUrl string }

func (s *Service) createQueue(c *call, in *createQueueIn) (any, *apiError) {
	if in.QueueName == "" {
		return nil, missingParameter("QueueName")
	}
	if !validName(in.QueueName, 80, "-") {
		return nil, invalidParameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	set, err := defaultSettings().apply(in.Attributes)
	if err != nil {
		return nil, err
	}
	out := queueURLOut{s.queueURL(c, in.QueueName)}

	queues := &c.region.queues
	queues.mu.Lock()
	defer queues.mu.Unlock()
	if q := queues.byName[in.QueueName]; q != nil {
		return out, q.sameSettings(c, in.Attributes)
	}
	if at, ok := queues.deleted[in.QueueName]; ok && c.now.Sub(at) < nameRest {
		return nil, fail(http.StatusBadRequest, "QueueDeletedRecently",
			"You must wait 60 seconds after deleting a queue before you can create another with the same name.")
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	if err := queues.checkRedrive(queueARN(c.region.name, s.account, in.QueueName), set.redrive); err != nil {
		return nil, err
	}
	q := newQueue(newQueueID(), c.region.name, s.account, in.QueueName, c.now, set)
	for k, v := range in.Tags {
		q.tags[k] = v
	}
	delete(queues.deleted, in.QueueName)
	queues.byName[in.QueueName] = q
	s.save(c, q)
	return out, nil
}

// save makes the queue's record durable, after other changes, before c is answered. The
// caller holds q.mu.
func (s *Service) save(c *call, q *queue, changes ...change) {
	if s.journal != nil {
		q.commit = s.journal.add(append(changes, q.saved())...)
		c.commit = q.commit
	}
}

// advance is queue.advance, and lets the store forget what expired. The caller holds q.mu.
func (s *Service) advance(q *queue, now time.Time) {
	for _, m := range q.advance(now) {
		s.journal.addLazily(m.removed(q)...)
	}
}

// newQueueID returns a number that no other queue has.
func newQueueID() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}

// sameSettings refuses attributes that differ from those that the queue has. What is not
// given is not compared.
func (q *queue) sameSettings(c *call, attributes map[string]string) *apiError {
	q.mu.Lock()
	has := q.settings
	c.commit = q.commit
	q.mu.Unlock()
	wants, err := has.apply(attributes)
	if err != nil {
		return err
	}
	hasText, wantsText := has.text(), wants.text()
	for name := range attributes {
		if hasText[name] != wantsText[name] {
			return fail(http.StatusBadRequest, "QueueNameExists",
				"A queue already exists with the same name and a different value for attribute %s", name)
		}
	}
	return nil
}

// checkRedrive tells whether the queue with ARN source may have that redrive policy: the
// DLQ must exist, in the same region and account, and allow it. The caller holds set.mu.
func (set *queueSet) checkRedrive(source string, p redrivePolicy) *apiError {
	if p.target == "" {
		return nil
	}
	bad := func(reason string) *apiError {
		return fail(http.StatusBadRequest, "InvalidAttributeValue",
			"Value %s for parameter RedrivePolicy is invalid. Reason: %s", p.target, reason)
	}
	if p.target == source {
		return bad("A queue can't be its own dead letter target.")
	}
	dlq := set.byARN(p.target)
	if dlq == nil {
		return bad("Dead letter target does not exist.")
	}
	dlq.mu.Lock()
	defer dlq.mu.Unlock()
	if !dlq.settings.redriveAllow.allows(source) {
		return bad("Dead letter target does not allow this queue as a source.")
	}
	return nil
}

// byARN returns the queue with that ARN; nil if it is not of this region and account. The
// caller holds set.mu.
func (set *queueSet) byARN(arn string) *queue {
	q := set.byName[arn[strings.LastIndexByte(arn, ':')+1:]]
	if q == nil || q.arn != arn {
		return nil
	}
	return q
}

type getQueueURLIn struct {
	QueueName              string
	QueueOwnerAWSAccountId string
}

func (s *Service) getQueueURL(c *call, in *getQueueURLIn) (any, *apiError) {
	if in.QueueName == "" {
		return nil, missingParameter("QueueName")
	}
	if c.region.queues.get(in.QueueName) == nil || in.QueueOwnerAWSAccountId != "" && in.QueueOwnerAWSAccountId != s.account {
		return nil, noQueue()
	}
	return queueURLOut{s.queueURL(c, in.QueueName)}, nil
}

type listQueuesIn struct {
	QueueNamePrefix string
	MaxResults      *int
	NextToken       string
}

type listQueuesOut struct {
	QueueUrls []string `json:",omitempty"`
	NextToken string   `json:",omitempty"`
}

func (s *Service) listQueues(c *call, in *listQueuesIn) (any, *apiError) {
	var names []string
	for _, q := range c.region.queues.all() {
		if strings.HasPrefix(q.name, in.QueueNamePrefix) {
			names = append(names, q.name)
		}
	}
	slices.Sort(names)
	names, next, err := sqsPage(names, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := listQueuesOut{NextToken: next}
	for _, name := range names {
		out.QueueUrls = append(out.QueueUrls, s.queueURL(c, name))
	}
	return out, nil
}

// sqsPage returns the part of names, which are sorted, that follows the token, and the
// token of the part after it. A token is given only to who sets a maximum.
func sqsPage(names []string, max *int, token string) (page []string, next string, _ *apiError) {
	n := 1000
	if max != nil {
		if n = *max; n < 1 || n > 1000 {
			return nil, "", invalidParameter("Value %d for parameter MaxResults is invalid. Reason: Must be between 1 and 1000.", n)
		}
	}
	page, next, ok := pageAfter(names, n, token)
	if !ok {
		return nil, "", invalidParameter("Invalid or expired next token.")
	}
	if max == nil {
		next = ""
	}
	return page, next, nil
}

func (s *Service) deleteQueue(c *call, in *queueURLIn) (any, *apiError) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	queues := &c.region.queues
	queues.mu.Lock()
	defer queues.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.deleted {
		return nil, noQueue()
	}
	delete(queues.byName, q.name)
	maps.DeleteFunc(queues.deleted, func(_ string, at time.Time) bool { return c.now.Sub(at) >= nameRest })
	queues.deleted[q.name] = c.now
	q.drop()
	changes := append(q.emptied(), change{bucket: bucketQueues, key: nameKey(q.region, q.name)})
	c.commit = s.journal.add(changes...)
	return nil, nil
}

func (s *Service) purgeQueue(c *call, in *queueURLIn) (any, *apiError) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.purged.IsZero() && c.now.Sub(q.purged) < purgeRest {
		return nil, fail(http.StatusForbidden, "PurgeQueueInProgress",
			"Only one PurgeQueue operation on %s is allowed every 60 seconds.", q.name)
	}
	q.purge(c.now)
	s.save(c, q, q.emptied()...)
	return nil, nil
}

type setQueueAttributesIn struct {
	queueURLIn
	Attributes map[string]string
}

func (s *Service) setQueueAttributes(c *call, in *setQueueAttributesIn) (any, *apiError) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if len(in.Attributes) == 0 {
		return nil, missingParameter("Attribute.Name")
	}
	queues := &c.region.queues
	queues.mu.Lock() // also serialises changes of settings
	defer queues.mu.Unlock()
	q.mu.Lock()
	set, err := q.settings.apply(in.Attributes)
	q.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := queues.checkRedrive(q.arn, set.redrive); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.settings = set
	q.modified = c.now
	s.save(c, q)
	return nil, nil
}

type getQueueAttributesIn struct {
	queueURLIn
	AttributeNames []string
}

type attributesOut struct {
	Attributes map[string]string `json:",omitempty"`
}

func (s *Service) getQueueAttributes(c *call, in *getQueueAttributesIn) (any, *apiError) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	s.advance(q, c.now)
	all := q.settings.text()
	all["ApproximateNumberOfMessages"] = strconv.Itoa(q.ready.Len())
	all["ApproximateNumberOfMessagesDelayed"] = strconv.Itoa(q.delayed)
	all["ApproximateNumberOfMessagesNotVisible"] = strconv.Itoa(q.hidden.Len() - q.delayed)
	all["LastModifiedTimestamp"] = strconv.FormatInt(q.modified.Unix(), 10)
	q.mu.Unlock()
	all["CreatedTimestamp"] = strconv.FormatInt(q.created.Unix(), 10)
	all["QueueArn"] = q.arn

	out := attributesOut{Attributes: make(map[string]string)}
	for _, name := range in.AttributeNames {
		v, ok := all[name]
		switch {
		case name == "All":
			return attributesOut{all}, nil
		case ok:
			out.Attributes[name] = v
		case !slices.Contains(settable, name) && !slices.Contains(unsupported, name):
			return nil, fail(http.StatusBadRequest, "InvalidAttributeName", "Unknown Attribute %s.", name)
		}
	}
	return out, nil
}
