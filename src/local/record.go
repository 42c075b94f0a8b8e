package local

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// How queues, messages, things, types and shadows stand in the data file.

// messageKey is a queue's id and the message's seq in it: all of a queue's messages lie
// together, in the order in which they came.
func messageKey(queue, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(queueKey(queue), seq)
}

func queueKey(queue uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, 16), queue)
}

func splitMessageKey(key []byte) (queue, seq uint64, ok bool) {
	if len(key) != 16 {
		return 0, 0, false
	}
	return binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:]), true
}

// nameKey joins a region and names, none of which has a zero byte.
func nameKey(names ...string) []byte {
	return []byte(strings.Join(names, "\x00"))
}

func splitNameKey(key []byte, n int) ([]string, error) {
	names := strings.Split(string(key), "\x00")
	if len(names) != n {
		return nil, errors.New("its key has the wrong form")
	}
	return names, nil
}

// queueRecord is a queue without its messages.
type queueRecord struct {
	ID       uint64            `json:"id"`
	Created  time.Time         `json:"created"`
	Modified time.Time         `json:"modified"`
	Purged   time.Time         `json:"purged"`
	Settings map[string]string `json:"settings"`
	Tags     map[string]string `json:"tags"`
}

// saved is the change that keeps the queue's record. The caller holds mu.
func (q *queue) saved() change {
	return change{bucket: bucketQueues, key: nameKey(q.region, q.name), value: encode(queueRecord{
		ID: q.id, Created: q.created, Modified: q.modified, Purged: q.purged, Settings: q.settings.text(), Tags: q.tags,
	})}
}

// emptied are the changes that drop all of the queue's messages.
func (q *queue) emptied() []change {
	key := queueKey(q.id)
	return []change{{bucket: bucketMessages, key: key, all: true}, {bucket: bucketReceives, key: key, all: true}}
}

// messageHead is a message without its body, which follows it as it is.
type messageHead struct {
	ID         string       `json:"id"`
	Attributes []headedItem `json:"attributes,omitempty"`
	Trace      string       `json:"trace,omitempty"`
	Group      string       `json:"group,omitempty"`
	Sent       time.Time    `json:"sent"`
	Visible    time.Time    `json:"visible"` // when it was put into its queue
	Source     string       `json:"source,omitempty"`
	Receives   int          `json:"receives,omitempty"` // in earlier queues
	First      time.Time    `json:"first,omitzero"`
}

type headedItem struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value []byte `json:"value"`
}

// saved is the change that keeps a message that was just added to q.
func (m *message) saved(q *queue) change {
	return change{bucket: bucketMessages, key: messageKey(q.id, m.seq), value: m.record(m.visible)}
}

// record is a message that may be received from visible on.
func (m *message) record(visible time.Time) []byte {
	head := messageHead{
		ID: m.id, Trace: m.traceID, Group: m.groupID, Sent: m.sent, Visible: visible,
		Source: m.source, Receives: m.receives, First: m.firstReceived,
	}
	for _, a := range m.attributes {
		head.Attributes = append(head.Attributes, headedItem{a.name, a.dataType, []byte(a.value)})
	}
	text := encode(head)
	value := make([]byte, 0, binary.MaxVarintLen32+len(text)+len(m.body))
	value = binary.AppendUvarint(value, uint64(len(text)))
	value = append(value, text...)
	return append(value, m.body...)
}

// parseMessage reads what saved wrote. It keeps nothing of value.
func parseMessage(value []byte) (*message, error) {
	n, size := binary.Uvarint(value)
	if size <= 0 || n > uint64(len(value)-size) {
		return nil, errors.New("it has no head")
	}
	var head messageHead
	if err := json.Unmarshal(value[size:size+int(n)], &head); err != nil {
		return nil, err
	}
	m := &message{
		id: head.ID, body: string(value[size+int(n):]), traceID: head.Trace, groupID: head.Group, sent: head.Sent,
		visible: head.Visible, source: head.Source, receives: head.Receives, firstReceived: head.First,
	}
	for _, a := range head.Attributes {
		m.attributes = append(m.attributes, messageAttribute{a.Name, a.Type, string(a.Value)})
	}
	return m, nil
}

// savedReceives is the change that keeps what receiving a message changed.
func (m *message) savedReceives(q *queue) change {
	value := make([]byte, 0, 6*8)
	for _, n := range []int64{
		int64(m.receipt), int64(m.receives), int64(m.receivesHere),
		m.firstReceived.UnixNano(), m.received.UnixNano(), m.visible.UnixNano(),
	} {
		value = binary.BigEndian.AppendUint64(value, uint64(n))
	}
	return change{bucket: bucketReceives, key: messageKey(q.id, m.seq), value: value}
}

func (m *message) parseReceives(value []byte) error {
	if len(value) != 6*8 {
		return errors.New("it has the wrong size")
	}
	n := func(i int) int64 { return int64(binary.BigEndian.Uint64(value[8*i:])) }
	m.receipt, m.receives, m.receivesHere = uint64(n(0)), int(n(1)), int(n(2))
	m.firstReceived, m.received, m.visible = time.Unix(0, n(3)), time.Unix(0, n(4)), time.Unix(0, n(5))
	return nil
}

// removed are the changes that drop a message.
func (m *message) removed(q *queue) []change {
	key := messageKey(q.id, m.seq)
	if m.receipt == 0 {
		return []change{{bucket: bucketMessages, key: key}}
	}
	return []change{{bucket: bucketMessages, key: key}, {bucket: bucketReceives, key: key}}
}

func (t *moveTask) saved(g *region) change {
	return change{bucket: bucketTasks, key: nameKey(g.name, t.ID), value: encode(t)}
}

func (t *thing) saved(g *region, name string) change {
	return change{bucket: bucketThings, key: nameKey(g.name, name), value: encode(t)}
}

func (tt *thingType) saved(g *region, name string) change {
	return change{bucket: bucketTypes, key: nameKey(g.name, name), value: encode(tt)}
}

// shadowRecord is a shadow as it is kept.
type shadowRecord struct {
	Desired      object    `json:"desired,omitempty"`
	Reported     object    `json:"reported,omitempty"`
	DesiredMeta  object    `json:"desiredMeta,omitempty"`
	ReportedMeta object    `json:"reportedMeta,omitempty"`
	Version      int64     `json:"version"`
	Deleted      time.Time `json:"deleted,omitzero"`
}

func (sh *shadow) saved(g *region, k shadowKey) change {
	return change{bucket: bucketShadows, key: nameKey(g.name, k.thing, k.name), value: encode(shadowRecord{
		sh.desired, sh.reported, sh.desiredMeta, sh.reportedMeta, sh.version, sh.deletedAt,
	})}
}

func parseShadow(value []byte) (*shadow, error) {
	var r shadowRecord
	if err := decodeNumbers(value, &r); err != nil {
		return nil, err
	}
	return &shadow{
		desired: r.Desired, reported: r.Reported, desiredMeta: r.DesiredMeta, reportedMeta: r.ReportedMeta,
		version: r.Version, deletedAt: r.Deleted,
	}, nil
}
