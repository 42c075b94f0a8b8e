package local

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"

	"go.etcd.io/bbolt"
)

// Buckets of the data file. A key is made by the functions of record.go.
const (
	bucketQueues   = "queues"   // one record a queue
	bucketMessages = "messages" // one a message, written once
	bucketReceives = "receives" // one a message that was received
	bucketTasks    = "tasks"    // one a message move task
	bucketThings   = "things"
	bucketTypes    = "types"
	bucketShadows  = "shadows" // also of those deleted in the last 48 hours
	bucketMeta     = "meta"
)

// dataBuckets are those that hold records.
var dataBuckets = []string{bucketQueues, bucketMessages, bucketReceives, bucketTasks, bucketThings, bucketTypes, bucketShadows}

// A change is one thing that a journal makes durable.
type change struct {
	bucket string
	key    []byte
	value  []byte // nil deletes
	all    bool   // with value nil: deletes all keys that begin with key
}

// maxLazy is how many lazy changes may wait for a reason to be written.
const maxLazy = 4096

// A journal makes changes durable in the order in which they are handed over, many with
// one sync of the disk. A nil journal is that of a service in memory: it keeps nothing.
type journal struct {
	db   *bbolt.DB
	wake chan struct{} // buffered: there is something to write
	done chan struct{} // closed when the writer has ended

	mu      sync.Mutex // guards the following
	pending *commit
	err     error // why nothing can be written any more
	closing bool

	meta meta // owned by the writer
}

// A commit is a group of changes that become durable together.
type commit struct {
	changes []change
	done    chan struct{} // closed when they are durable, or err says why not
	err     error
}

// wait returns when the changes are durable. A nil commit is.
func (c *commit) wait() error {
	if c == nil {
		return nil
	}
	<-c.done
	return c.err
}

// meta describes the data file.
type meta struct {
	Format  int    `json:"format"`
	Account string `json:"account"`
	Records uint64 `json:"records"` // in all data buckets; a file that lost some is told by it
}

func newJournal(db *bbolt.DB, m meta) *journal {
	j := &journal{
		db:      db,
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		pending: &commit{done: make(chan struct{})},
		meta:    m,
	}
	go j.write()
	return j
}

// add hands changes over; they are durable when wait of the commit returns nil. The caller
// holds the lock of what it changed, so that changes come in the order in which they
// happened, and waits after it has let go of it. The journal owns the changes.
func (j *journal) add(changes ...change) *commit {
	return j.enqueue(changes, false)
}

// addLazily hands over changes that no answer depends on: how often a message was
// received. They are written with the next changes that somebody waits for.
func (j *journal) addLazily(changes ...change) {
	j.enqueue(changes, true)
}

func (j *journal) enqueue(changes []change, lazy bool) *commit {
	if j == nil || len(changes) == 0 {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		failed := &commit{done: make(chan struct{}), err: j.err}
		close(failed.done)
		return failed
	}
	j.pending.changes = append(j.pending.changes, changes...)
	if !lazy || len(j.pending.changes) >= maxLazy {
		select {
		case j.wake <- struct{}{}:
		default:
		}
	}
	return j.pending
}

// failed returns why the journal cannot write any more; nil if it can. What memory holds
// is then ahead of the file, so nothing may be answered from it.
func (j *journal) failed() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// write commits what is pending, all of it at once, until close.
func (j *journal) write() {
	defer close(j.done)
	for range j.wake {
		j.mu.Lock()
		group, closing := j.pending, j.closing
		j.pending = &commit{done: make(chan struct{})}
		j.mu.Unlock()

		if len(group.changes) > 0 {
			group.err = j.commit(group.changes)
			group.changes = nil
		}
		if group.err != nil {
			j.fail(group.err)
		}
		close(group.done)
		if closing || group.err != nil {
			return
		}
	}
}

// fail makes every change fail from now on, those that are pending too.
func (j *journal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = err
	j.pending.err = err
	close(j.pending.done)
}

// commit writes changes and returns when the disk has them: bbolt syncs the pages that it
// wrote, then the page that makes them count, and syncs again.
//
// If the machine stops before that page is written, none of the changes happened, and no
// caller was told that they did.
func (j *journal) commit(changes []change) error {
	next := j.meta
	err := j.db.Update(func(tx *bbolt.Tx) error {
		for i := range changes {
			if err := apply(tx, &changes[i], &next.Records); err != nil {
				return err
			}
		}
		return putMeta(tx, next)
	})
	if err != nil {
		return fmt.Errorf("write the data file: %w", err)
	}
	j.meta = next
	return nil
}

// apply makes one change and counts the records that come and go.
func apply(tx *bbolt.Tx, c *change, records *uint64) error {
	b := tx.Bucket([]byte(c.bucket))
	switch {
	case c.value != nil:
		if b.Get(c.key) == nil {
			*records++
		}
		if c.bucket == bucketMessages {
			b.FillPercent = 0.9 // keys come in order
		}
		return b.Put(c.key, seal(c.bucket, c.key, c.value))
	case c.all:
		cursor := b.Cursor()
		var keys [][]byte // a cursor must not delete while it moves
		for k, _ := cursor.Seek(c.key); bytes.HasPrefix(k, c.key); k, _ = cursor.Next() {
			keys = append(keys, slices.Clone(k))
		}
		for _, k := range keys {
			*records--
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		return nil
	}
	if b.Get(c.key) != nil {
		*records--
	}
	return b.Delete(c.key)
}

func putMeta(tx *bbolt.Tx, m meta) error {
	key := []byte(bucketMeta)
	return tx.Bucket(key).Put(key, seal(bucketMeta, key, encode(m)))
}

// close writes what is pending, lazy changes too, and closes the file.
func (j *journal) close() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	again := j.closing
	j.closing = true
	j.mu.Unlock()
	if again {
		return nil
	}
	select {
	case j.wake <- struct{}{}:
	default:
	}
	<-j.done
	err := j.failed()
	if err == nil {
		j.fail(errClosed)
	}
	return errors.Join(err, j.db.Close())
}

var errClosed = errors.New("the service is closed")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal returns a record as it stands in the file: its checksum, which covers bucket and
// key, and itself.
func seal(bucket string, key, value []byte) []byte {
	sealed := make([]byte, 4, 4+len(value))
	binary.BigEndian.PutUint32(sealed, checksum(bucket, key, value))
	return append(sealed, value...)
}

// unseal returns the record of what seal made; ok is false if it is damaged. It is valid
// as long as sealed is.
func unseal(bucket string, key, sealed []byte) (value []byte, ok bool) {
	if len(sealed) < 4 {
		return nil, false
	}
	value = sealed[4:]
	return value, binary.BigEndian.Uint32(sealed) == checksum(bucket, key, value)
}

func checksum(bucket string, key, value []byte) uint32 {
	sum := crc32.Update(0, castagnoli, []byte(bucket))
	sum = crc32.Update(sum, castagnoli, key)
	return crc32.Update(sum, castagnoli, value)
}
