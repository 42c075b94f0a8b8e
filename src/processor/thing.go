package processor

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iotdataplane/types"
)

// maxConflicts is how often a write is tried against others who write the same
// shadow, before its reports are sent again.
const maxConflicts = 8

var errConflict = errors.New("others wrote the shadow each time")

// firstWrite creates a shadow. It is a constant without a version, so it does not
// matter how many containers write it, in which order, or to a shadow that another
// one has already filled: it changes nothing but a missing "v".
const firstWrite = `{"state":{"reported":{"_coap":{"v":1}}}}`

// applyReports is the compare-and-set of one shadow: read it or remember it, merge,
// write on condition of its version, and read it again if someone else was faster. A
// write that a crash or a lost answer leaves in doubt is harmless: its reports are
// then found in the shadow, by their keys.
func (p *Processor) applyReports(ctx context.Context, thing string, reports []*report) {
	remembered := p.cache.take(thing)
	s := remembered
	if p.hits.low() {
		s = nil
	}
	for conflicts := 0; ; {
		fresh := s == nil
		if fresh {
			var err error
			if s, err = p.readShadow(ctx, thing, reports); err != nil {
				settleAll(ctx, reports, err)
				return
			}
			if s == nil {
				return // the registry has refused them all
			}
			if remembered != nil {
				p.hits.count(remembered.version == s.version)
				remembered = nil
			}
		}
		changed, refusing := mergeAll(s, reports)
		if refusing && !fresh { // what was remembered may be out of date
			for _, r := range reports {
				r.settle(undecided, nil)
			}
			s = nil
			continue
		}
		if !changed {
			p.cache.put(thing, s)
			return
		}
		version, err := p.iot.updateShadow(ctx, thing, s.patch())
		switch {
		case err == nil:
			if !fresh {
				p.hits.count(true)
			}
			s.commit(version)
			p.cache.put(thing, s)
			return
		case is[*types.ConflictException](err):
			p.conflicts.Add(1)
			if conflicts++; conflicts == maxConflicts {
				settleAll(ctx, reports, errConflict)
				return
			}
			pause(ctx, conflicts)
		case refusal(err) == "":
			settleAll(ctx, reports, err)
			return
		case fresh:
			p.refuse(ctx, thing, reports, refusal(err))
			return
		}
		s = nil
	}
}

// readShadow returns the state of a thing's shadow. For a thing that is new it asks
// the registry and creates the shadow. It returns nil without an error if the
// registry has refused all reports, which are settled then.
func (p *Processor) readShadow(ctx context.Context, thing string, reports []*report) (*state, error) {
	s, err := p.getState(ctx, thing)
	if err != nil || s != nil && s.thingType != "" {
		return s, err
	}
	kind, err := p.register(ctx, thing, reports)
	if err != nil || kind == "" {
		return nil, err
	}
	if s == nil {
		if _, err := p.iot.updateShadow(ctx, thing, []byte(firstWrite)); err != nil {
			return nil, err
		}
		if s, err = p.getState(ctx, thing); err != nil {
			return nil, err
		}
		if s == nil {
			return nil, errConflict // deleted at once
		}
	}
	if s.thingType == "" {
		s.thingType = kind
	}
	return s, nil
}

// getState returns the state of a shadow, nil if there is none.
func (p *Processor) getState(ctx context.Context, thing string) (*state, error) {
	document, err := p.iot.getShadow(ctx, thing)
	if is[*types.ResourceNotFoundException](err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseShadow(document)
}

// register makes sure that thing exists, of the type of its first report that the
// registry does not refuse, and returns that type. The others are settled.
func (p *Processor) register(ctx context.Context, thing string, reports []*report) (kind string, err error) {
	asked := map[string]bool{}
	for _, r := range reports {
		if asked[r.kind] {
			continue
		}
		asked[r.kind] = true
		err := p.registrar.ensure(ctx, thing, r.kind)
		if err == nil {
			return r.kind, nil
		}
		if _, ok := reason(err); !ok {
			return "", err
		}
		for _, other := range reports {
			if other.kind == r.kind {
				other.settle(poisoned, err)
			}
		}
	}
	return "", nil
}

// mergeAll merges reports into s and settles each as if what s has to write were
// written. It reports whether there is anything to write, and whether it has refused
// a report.
func mergeAll(s *state, reports []*report) (changed, refusing bool) {
	for _, r := range reports {
		r.settle(undecided, nil)
		if r.kind != s.thingType {
			r.settle(poisoned, typeConflict.because("the thing is of type %s", s.thingType))
			refusing = true
			continue
		}
		c, err := s.merge(r.key, r.values)
		if err != nil {
			r.settle(poisoned, err)
			refusing = true
			continue
		}
		r.sent = r.sent || c
		changed = changed || c
	}
	for _, r := range reports {
		switch {
		case r.fate == poisoned:
		case !s.owns(r.key, r.values):
			r.settle(superseded, nil)
		case r.sent:
			r.settle(applied, nil)
		default:
			r.settle(duplicate, nil)
		}
	}
	return changed, refusing
}

// refuse decides which of several reports AWS IoT refuses: each is tried alone.
func (p *Processor) refuse(ctx context.Context, thing string, reports []*report, why poison) {
	var rest []*report
	for _, r := range reports {
		if r.fate != poisoned {
			rest = append(rest, r)
		}
	}
	if len(rest) == 1 {
		rest[0].settle(poisoned, why)
		return
	}
	for _, r := range rest {
		p.applyReports(ctx, thing, []*report{r})
	}
}

// refusal returns why a write can never succeed as it is, or nothing.
func refusal(err error) poison {
	if is[*types.RequestEntityTooLargeException](err) {
		return tooLarge
	}
	if invalid, ok := errors.AsType[*types.InvalidRequestException](err); ok {
		return refused.because("%s", aws.ToString(invalid.Message))
	}
	return ""
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// settleAll settles reports that are not poisoned with an error that is no poison.
func settleAll(ctx context.Context, reports []*report, err error) {
	f := retried
	switch {
	case ctx.Err() != nil, errors.Is(err, errDown):
		f = held
	case errors.Is(err, errThrottled), errors.Is(err, errBookkeeping), errors.Is(err, errUnpublished):
		f = renewed
	}
	for _, r := range reports {
		if r.fate != poisoned {
			r.settle(f, err)
		}
	}
}

// pause lets others finish their write of the same shadow.
func pause(ctx context.Context, conflicts int) {
	wait := 10 * time.Millisecond << conflicts
	timer := time.NewTimer(rand.N(wait))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
