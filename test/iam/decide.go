package iam

import "fmt"

// A Call is one API call, as IAM sees it.
type Call struct {
	Action   string            // sqs:SendMessage
	Resource string            // ARN; "*" for an action that has none
	Context  map[string]string // condition keys, such as aws:SecureTransport
}

func (c Call) String() string { return c.Action + " on " + c.Resource }

// Allowed reports whether policies allow a call: a statement allows it and none denies
// it (IAM User Guide, "Policy evaluation logic", within one account).
func Allowed(policies []Policy, c Call) bool {
	allowed := false
	for _, p := range policies {
		for _, s := range p.Statements {
			switch {
			case !s.fits(c):
			case s.Deny:
				return false
			case s.Principals == nil: // a policy of a role; that of a queue lets services in, not ours
				allowed = true
			}
		}
	}
	return allowed
}

// Trusts reports whether a trust policy lets a service assume its role.
func Trusts(p Policy, service string, context map[string]string) bool {
	trusted := false
	for _, s := range p.Statements {
		if !matchAny(s.Principals["Service"], service, match) || !matchAny(s.Actions, "sts:AssumeRole", matchAction) || !s.holds(Call{Context: context}) {
			continue
		}
		if s.Deny {
			return false
		}
		trusted = true
	}
	return trusted
}

// Denied returns an error for each call that the policies do not allow.
func Denied(policies []Policy, calls []Call) []error {
	var errs []error
	for _, c := range calls {
		if !Allowed(policies, c) {
			errs = append(errs, fmt.Errorf("%v is not allowed", c))
		}
	}
	return errs
}

// fits reports whether a statement speaks of a call.
func (s Statement) fits(c Call) bool {
	return matchAny(s.Actions, c.Action, matchAction) && matchAny(s.Resources, c.Resource, match) && s.holds(c)
}
