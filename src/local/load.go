package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Open returns a service that keeps what it is told in Options.Data, and holds what it was
// told before: an answer of success survives the end of the process and of the machine.
// Without Options.Data it is New.
//
// A data directory is of one process at a time. A damaged one is refused; nothing is
// changed in it.
func Open(o Options) (*Service, error) {
	s := New(o)
	if o.Data == "" {
		return s, nil
	}
	l := loader{s: s, byID: make(map[uint64]*queue)}
	j, err := openDataFile(o.Data, s.account, o.noSync, l.load)
	if err != nil {
		return nil, err
	}
	s.journal = j
	l.finish()
	return s, nil
}

// A loader fills a service with what a data file holds. Nobody else has the service yet,
// so nothing is locked.
type loader struct {
	s     *Service
	byID  map[uint64]*queue
	tasks []loadedTask
}

type loadedTask struct {
	region *region
	task   *moveTask
}

// load takes one record. Those of queues come before those of messages, and these before
// those of receives.
func (l *loader) load(bucket string, key, value []byte) error {
	switch bucket {
	case bucketQueues:
		return l.queue(key, value)
	case bucketMessages, bucketReceives:
		return l.message(bucket, key, value)
	case bucketTasks:
		names, err := splitNameKey(key, 2)
		if err != nil {
			return err
		}
		t := new(moveTask)
		if err := json.Unmarshal(value, t); err != nil {
			return err
		}
		l.tasks = append(l.tasks, loadedTask{l.s.region(names[0]), t})
	case bucketThings:
		return loadNamed(l.s, key, value, func(g *region, name string, t *thing) { g.registry.things[name] = t })
	case bucketTypes:
		return loadNamed(l.s, key, value, func(g *region, name string, t *thingType) { g.registry.types[name] = t })
	case bucketShadows:
		names, err := splitNameKey(key, 3)
		if err != nil {
			return err
		}
		sh, err := parseShadow(value)
		if err != nil {
			return err
		}
		l.s.region(names[0]).shadows.of(names[1]).of[shadowKey{names[1], names[2]}] = sh
	default:
		return fmt.Errorf("unknown kind %q", bucket)
	}
	return nil
}

func loadNamed[T any](s *Service, key, value []byte, put func(*region, string, *T)) error {
	names, err := splitNameKey(key, 2)
	if err != nil {
		return err
	}
	v := new(T)
	if err := json.Unmarshal(value, v); err != nil {
		return err
	}
	put(s.region(names[0]), names[1], v)
	return nil
}

func (l *loader) queue(key, value []byte) error {
	names, err := splitNameKey(key, 2)
	if err != nil {
		return err
	}
	var r queueRecord
	if err := json.Unmarshal(value, &r); err != nil {
		return err
	}
	set, failed := defaultSettings().apply(r.Settings)
	if failed != nil {
		return failed
	}
	q := newQueue(r.ID, names[0], l.s.account, names[1], r.Created, set)
	q.modified, q.purged = r.Modified, r.Purged
	if r.Tags != nil {
		q.tags = r.Tags
	}
	l.byID[q.id] = q
	l.s.region(q.region).queues.byName[q.name] = q
	return nil
}

func (l *loader) message(bucket string, key, value []byte) error {
	id, seq, ok := splitMessageKey(key)
	q := l.byID[id]
	if !ok || q == nil {
		return errors.New("it is of no queue")
	}
	if bucket == bucketReceives {
		m := q.messages[seq]
		if m == nil {
			return errors.New("it is of no message")
		}
		return m.parseReceives(value)
	}
	m, err := parseMessage(value)
	if err != nil {
		return err
	}
	m.seq = seq
	q.lastSeq = max(q.lastSeq, seq)
	q.messages[seq] = m // finish puts it into its heaps
	return nil
}

// finish puts messages where they belong by now, and lets move tasks go on.
func (l *loader) finish() {
	for _, q := range l.byID {
		now := l.s.now(l.s.region(q.region))
		for _, m := range q.messages {
			q.insert(m, now, m.visible)
		}
	}
	l.forget()
	slices.SortFunc(l.tasks, func(a, b loadedTask) int { return a.task.Started.Compare(b.task.Started) })
	for _, t := range l.tasks {
		t.region.tasks.of = append(t.region.tasks.of, t.task)
		if t.task.Status == taskRunning {
			l.s.tasks.Add(1)
			go l.s.run(t.region, t.task)
		}
	}
}

// forget drops shadows that were deleted so long ago that their versions do not go on.
func (l *loader) forget() {
	for _, g := range l.s.regions {
		now := l.s.now(g)
		for i := range g.shadows.shard {
			maps.DeleteFunc(g.shadows.shard[i].of, func(k shadowKey, sh *shadow) bool {
				old := sh.deleted() && now.Sub(sh.deletedAt) >= versionMemory
				if old {
					l.s.journal.addLazily(change{bucket: bucketShadows, key: nameKey(g.name, k.thing, k.name)})
				}
				return old
			})
		}
	}
}
