package iam

import "strings"

// match reports whether a pattern with * (any characters) and ? (one) fits the whole text.
func match(pattern, text string) bool {
	for pattern != "" {
		switch {
		case pattern[0] == '*':
			for i := 0; i <= len(text); i++ {
				if match(pattern[1:], text[i:]) {
					return true
				}
			}
			return false
		case text == "" || pattern[0] != '?' && pattern[0] != text[0]:
			return false
		}
		pattern, text = pattern[1:], text[1:]
	}
	return text == ""
}

// matchAny reports whether one of the patterns fits.
func matchAny(patterns []string, text string, fits func(pattern, text string) bool) bool {
	for _, p := range patterns {
		if fits(p, text) {
			return true
		}
	}
	return false
}

// matchAction is match without regard to case, as actions are.
func matchAction(pattern, action string) bool {
	return match(strings.ToLower(pattern), strings.ToLower(action))
}

// operators are the condition operators that are known (IAM User Guide, "IAM JSON policy
// elements: Condition operators"). A key that the call does not have fits none
// of them.
var operators = map[string]func(want, has string) bool{
	"StringEquals": func(want, has string) bool { return want == has },
	"StringLike":   match,
	"ArnEquals":    match,
	"ArnLike":      match,
	"Bool":         strings.EqualFold,
}

// holds reports whether all conditions of a statement hold for a call.
func (s Statement) holds(c Call) bool {
	for operator, keys := range s.Conditions {
		for key, wanted := range keys {
			has, ok := c.Context[key]
			if !ok || !matchAny(wanted, has, operators[operator]) {
				return false
			}
		}
	}
	return true
}
