package iam

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Unneeded returns an error for each part of the policies without which all calls are
// still allowed: a statement, one of its actions, or one of its resources.
func Unneeded(policies []Policy, calls []Call) []error {
	var errs []error
	for i, p := range policies {
		for j, s := range p.Statements {
			if s.Deny {
				continue
			}
			try := func(what string, less Policy) bool {
				others := slices.Clone(policies)
				others[i] = less
				if len(Denied(others, calls)) > 0 {
					return true
				}
				errs = append(errs, fmt.Errorf("%s: nothing needs %s", p.Name, what))
				return false
			}
			if !try("the statement "+s.String(), p.Without(j)) {
				continue
			}
			if len(s.Actions) > 1 {
				for k, action := range s.Actions {
					try(action+" in "+s.String(), p.with(j, func(s *Statement) { s.Actions = without(s.Actions, k) }))
				}
			}
			if len(s.Resources) > 1 {
				for k, resource := range s.Resources {
					try(resource+" in "+s.String(), p.with(j, func(s *Statement) { s.Resources = without(s.Resources, k) }))
				}
			}
		}
	}
	return errs
}

// with returns the policy with statement i changed.
func (p Policy) with(i int, change func(*Statement)) Policy {
	out := Policy{Name: p.Name, Statements: slices.Clone(p.Statements)}
	change(&out.Statements[i])
	return out
}

func without(list []string, i int) []string { return slices.Delete(slices.Clone(list), i, i+1) }

// noResource are the actions whose resource can only be "*" (Service Authorization
// Reference, the tables "Actions defined by" each service). An action of CloudWatch's that
// has none needs a condition on its namespace, so it is not here.
var noResource = []string{
	"iot:DescribeEndpoint",
	"ssm:UpdateInstanceInformation", // could name the instance, which names this role: a cycle
	"ssmmessages:CreateControlChannel",
	"ssmmessages:CreateDataChannel",
	"ssmmessages:OpenControlChannel",
	"ssmmessages:OpenDataChannel",
}

// open fits the ARNs whose end only AWS or the devices of the field know: the names of
// things, types, topics, versions of an artifact, and the streams of one log group. Nothing
// before that end may be a pattern.
var open = regexp.MustCompile(`^[^*?]*(:thing/|:thingtype/|:topic/|/ingestor/|:log-stream:|:log-group:[^*?:]+:)[^*?]*\*$`)

// Wildcards returns an error for each action with a wildcard, and for each wildcard where
// an ARN could stand.
func Wildcards(policies []Policy) []error {
	var errs []error
	for _, p := range policies {
		for _, s := range p.Statements {
			if s.Deny {
				continue
			}
			for _, action := range s.Actions {
				if strings.ContainsAny(action, "*?") {
					errs = append(errs, fmt.Errorf("%s: %s: the action %s is a wildcard", p.Name, s, action))
				}
			}
			for _, resource := range s.Resources {
				if err := wild(s.Actions, resource); err != nil {
					errs = append(errs, fmt.Errorf("%s: %s: %w", p.Name, s, err))
				}
			}
		}
	}
	return errs
}

func wild(actions []string, resource string) error {
	if resource == "*" {
		for _, action := range actions {
			if !slices.Contains(noResource, action) {
				return fmt.Errorf("%s on * could name an ARN", action)
			}
		}
		return nil
	}
	if strings.ContainsAny(resource, "*?") && !open.MatchString(resource) {
		return fmt.Errorf("the resource %s has a wildcard that could be left out", resource)
	}
	return nil
}
