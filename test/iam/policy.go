// Package iam decides, for the policies of this project, what AWS would decide: which API
// calls they allow. It knows the part of the language that the project uses and refuses
// the rest, so that nothing is judged by guessing.
//
//	policy.go    a policy document, read strictly
//	decide.go    whether a call is allowed, and by which statement
//	match.go     wildcards and conditions
//	audit.go     statements that no call needs, and wildcards where an ARN could stand
package iam

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// A Policy is one document, with a name for messages: the address of its resource.
type Policy struct {
	Name       string
	Statements []Statement
}

// A Statement is one rule of a policy. Exactly one of Resources and Principals may be
// missing: a policy of a role names resources, a trust policy principals, one of a queue
// both.
type Statement struct {
	Sid        string
	Deny       bool
	Actions    []string
	Resources  []string
	Principals map[string][]string            // by kind, such as Service; "*" for anyone
	Conditions map[string]map[string][]string // operator, key, values
}

// String names the statement by its Sid, or else by what it says.
func (s Statement) String() string {
	if s.Sid != "" {
		return s.Sid
	}
	return fmt.Sprintf("%v on %v", s.Actions, s.Resources)
}

// Parse reads a policy document. What it does not know, such as NotAction, is an error:
// what is allowed has to be written down, and so has what is denied.
func Parse(name, document string) (Policy, error) {
	var in struct {
		Version   string
		ID        string `json:"Id"`
		Statement oneOrMore[struct {
			Sid       string
			Effect    string
			Action    oneOrMore[string]
			Resource  oneOrMore[string]
			Principal principals
			Condition map[string]map[string]oneOrMore[scalar]
		}]
	}
	d := json.NewDecoder(bytes.NewReader([]byte(document)))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return Policy{}, fmt.Errorf("read the policy %s: %w", name, err)
	}
	p := Policy{Name: name}
	if in.Version != "2012-10-17" {
		return p, fmt.Errorf("read the policy %s: version %q, want 2012-10-17", name, in.Version)
	}
	for _, s := range in.Statement {
		if s.Effect != "Allow" && s.Effect != "Deny" || len(s.Action) == 0 || len(s.Resource) == 0 && s.Principal == nil {
			return p, fmt.Errorf("read the policy %s: statement %q needs an effect, actions and resources", name, s.Sid)
		}
		out := Statement{Sid: s.Sid, Deny: s.Effect == "Deny", Actions: s.Action, Resources: s.Resource, Principals: s.Principal}
		for operator, keys := range s.Condition {
			if _, known := operators[operator]; !known {
				return p, fmt.Errorf("read the policy %s: statement %q has the condition %s, which is not known here", name, s.Sid, operator)
			}
			for key, values := range keys {
				if out.Conditions == nil {
					out.Conditions = map[string]map[string][]string{}
				}
				if out.Conditions[operator] == nil {
					out.Conditions[operator] = map[string][]string{}
				}
				for _, v := range values {
					out.Conditions[operator][key] = append(out.Conditions[operator][key], string(v))
				}
			}
		}
		p.Statements = append(p.Statements, out)
	}
	if len(p.Statements) == 0 {
		return p, fmt.Errorf("read the policy %s: it says nothing", name)
	}
	return p, nil
}

// Without returns the policy without statement i.
func (p Policy) Without(i int) Policy {
	out := Policy{Name: p.Name}
	out.Statements = append(out.Statements, p.Statements[:i]...)
	out.Statements = append(out.Statements, p.Statements[i+1:]...)
	return out
}

// oneOrMore is what IAM lets be a value or a list of them.
type oneOrMore[T any] []T

func (l *oneOrMore[T]) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte("[")) {
		return strict(b, (*[]T)(l))
	}
	*l = make([]T, 1)
	return strict(b, &(*l)[0])
}

// scalar is a string, or a boolean or number as text.
type scalar string

func (s *scalar) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte(`"`)) {
		return json.Unmarshal(b, (*string)(s))
	}
	*s = scalar(b)
	return nil
}

// principals is "*" or a map of kinds.
type principals map[string][]string

func (p *principals) UnmarshalJSON(b []byte) error {
	*p = principals{}
	if string(b) == `"*"` {
		(*p)["AWS"] = []string{"*"}
		return nil
	}
	var kinds map[string]oneOrMore[string]
	if err := json.Unmarshal(b, &kinds); err != nil {
		return err
	}
	for kind, names := range kinds {
		(*p)[kind] = names
	}
	return nil
}

// strict decodes what a custom decoder was handed as its caller would have: a field that
// is not known is an error.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}
