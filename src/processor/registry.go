package processor

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"golang.org/x/sync/singleflight"
)

// A registrar makes sure that things and thing types exist. It is asked once for
// each thing: the shadow's bookkeeping says later that it has been.
type registrar struct {
	iot    *iotClient
	create string // AutoCreate
	budget budget
	types  singleflight.Group // many new things of one new type ask for it once
}

// ensure makes sure that thing exists and is of the given type. A thing that someone
// registered by hand is adopted, with that type or with none. The error is a poison
// or transient.
func (r *registrar) ensure(ctx context.Context, thing, thingType string) error {
	if r.create == CreateNone {
		return r.adopt(ctx, thing, thingType, unknownThing)
	}
	a := asked{thing, thingType}
	err := error(createBudget)
	switch r.budget.take(a, time.Now()) {
	case findIt:
		err = r.adopt(ctx, thing, thingType, createBudget)
	case addIt:
		err = r.add(ctx, thing, thingType)
		if _, ok := errors.AsType[*types.ResourceAlreadyExistsException](err); ok { // with another type or attributes
			if err = r.adopt(ctx, thing, thingType, err); err == nil {
				r.budget.existed(a)
			}
		}
	}
	if _, ok := reason(err); err != nil && !ok {
		r.budget.forget(a)
	}
	return err
}

// add creates a thing, and its type if that may be. AWS IoT takes the same thing twice as
// the same; the error is a ResourceAlreadyExistsException if it is there as another.
func (r *registrar) add(ctx context.Context, thing, thingType string) error {
	err := r.createThing(ctx, thing, thingType)
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok { // there is no such type
		if r.create == CreateThings {
			return unknownType.because("%s", thingType)
		}
		if err = r.createType(ctx, thingType); err == nil {
			err = r.createThing(ctx, thing, thingType)
		}
	}
	if invalid, ok := errors.AsType[*types.InvalidRequestException](err); ok {
		return refused.because("%s", aws.ToString(invalid.Message)) // such as a deprecated type
	}
	return err
}

func (r *registrar) createThing(ctx context.Context, thing, thingType string) error {
	return r.iot.registry.do(ctx, func(ctx context.Context) error {
		_, err := r.iot.control.CreateThing(ctx, &iot.CreateThingInput{ThingName: &thing, ThingTypeName: &thingType})
		return err
	})
}

func (r *registrar) createType(ctx context.Context, thingType string) error {
	_, err, _ := r.types.Do(thingType, func() (any, error) {
		return nil, r.iot.registry.do(ctx, func(ctx context.Context) error {
			_, err := r.iot.control.CreateThingType(ctx, &iot.CreateThingTypeInput{ThingTypeName: &thingType})
			if _, ok := errors.AsType[*types.ResourceAlreadyExistsException](err); ok { // with a description, for example
				return nil
			}
			return err
		})
	})
	return err
}

// adopt accepts a thing that exists, if it is not of another type. Absent is the error if
// there is none.
func (r *registrar) adopt(ctx context.Context, thing, thingType string, absent error) error {
	var out *iot.DescribeThingOutput
	err := r.iot.registry.do(ctx, func(ctx context.Context) (err error) {
		out, err = r.iot.control.DescribeThing(ctx, &iot.DescribeThingInput{ThingName: &thing})
		return err
	})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		return absent
	}
	if err != nil {
		return err
	}
	if registered := aws.ToString(out.ThingTypeName); registered != "" && registered != thingType {
		return typeConflict.because("registered as %s", registered)
	}
	return nil
}
