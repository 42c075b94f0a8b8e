package infra

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// checkAlarms: an alarm that watches what nobody measures sleeps for ever. Each dimension
// is the name of something that is there, each composite names alarms that are there, and
// whoever is told exists.
func checkAlarms(t *testing.T, s *stack) {
	for _, region := range []string{primary, secondary} {
		api := s.api(region)
		exists := existing(t, s, region)
		alarms := api.alarms(t)
		names := map[string]bool{}
		for _, a := range alarms {
			names[a.Name] = true
		}
		if len(alarms) < 10 {
			t.Errorf("%s: only %d alarms", region, len(alarms))
		}
		for _, a := range alarms {
			if len(a.Actions) == 0 && !watched(alarms, a.Name) {
				t.Errorf("%s: %s tells nobody, and no other alarm looks at it", region, a.Name)
			}
			for _, action := range a.Actions {
				if !strings.HasPrefix(action, "arn:aws:sns:"+region+":") && !strings.HasPrefix(action, "arn:aws:automate:"+region+":ec2:") {
					t.Errorf("%s: %s does %s", region, a.Name, action)
				}
			}
			for _, d := range a.Dimensions {
				if !slices.Contains(exists[d.Name], d.Value) {
					t.Errorf("%s: %s watches %s of %s=%s, and there are %v", region, a.Name, a.Metric, d.Name, d.Value, exists[d.Name])
				}
			}
			for _, p := range a.Parts {
				for _, d := range p.Dimensions {
					if !slices.Contains(exists[d.Name], d.Value) {
						t.Errorf("%s: %s watches %s of %s=%s, and there are %v", region, a.Name, p.Metric, d.Name, d.Value, exists[d.Name])
					}
				}
			}
			for _, name := range referred(a.Rule) {
				if !names[name] {
					t.Errorf("%s: %s looks at the alarm %s, which is not there", region, a.Name, name)
				}
			}
		}
	}
}

var alarmName = regexp.MustCompile(`(?:ALARM|OK|INSUFFICIENT_DATA)\("?([^")]+)"?\)`)

// referred lists the alarms that a composite's rule names.
func referred(rule string) (names []string) {
	for _, m := range alarmName.FindAllStringSubmatch(rule, -1) {
		names = append(names, m[1])
	}
	return names
}

// watched reports whether a composite looks at an alarm.
func watched(alarms []alarm, name string) bool {
	return slices.ContainsFunc(alarms, func(a alarm) bool { return slices.Contains(referred(a.Rule), name) })
}

// existing lists, for each dimension, the values that have measurements in a region.
func existing(t *testing.T, s *stack, region string) map[string][]string {
	t.Helper()
	api := s.api(region)
	functions := api.functions(t)
	code := codes[region]
	exists := map[string][]string{
		"InstanceId":   slices.Collect(maps.Keys(api.instances(t))),
		"FunctionName": functions,
		"QueueName":    {"coap-reports", "coap-reports-dlq"},
		"ingestor":     {code + "-a", code + "-b"},
		// The canary of each region speaks to the addresses of both, once it knows them.
		"endpoint": {"use1-a", "use1-b", "euw1-a", "euw1-b"},
	}
	for _, f := range functions {
		exists["service"] = append(exists["service"], strings.TrimPrefix(f, "coap-"))
		exists["Resource"] = append(exists["Resource"], f+":live")
	}
	return exists
}

// codes are the regions' codes, which begin the names of ingestors.
var codes = map[string]string{primary: "use1", secondary: "euw1"}
