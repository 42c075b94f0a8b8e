package metric

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An alarm of modules/alarms.json: of one metric, or of several and an expression.
type alarm struct {
	Of, Severity, Namespace string
	Metric                  string
	Terms                   map[string]string
	Expression              string
	Statistic, Comparison   string
	Threshold               *float64
	Period                  int
	EvaluationPeriods       int    `json:"evaluation_periods"`
	Datapoints              int    `json:"datapoints"`
	TreatMissing            string `json:"treat_missing"`
	Action                  string
	Description, Runbook    string
	Wait                    int // of a composite, in seconds
}

type alarmFile struct {
	Alarms, Composites map[string]alarm
}

// exported says what CloudWatch knows of each kind of thing that alarms and widgets are
// of, by namespace. AWS's names are from the user guides of SQS, Lambda and EC2.
var exported = map[string]map[string][]string{
	"queue":             {"AWS/SQS": sqsMetrics},
	"dead_letter_queue": {"AWS/SQS": sqsMetrics},
	"function":          {"AWS/Lambda": lambdaMetrics},
	"canary":            {"AWS/Lambda": lambdaMetrics},
	"instance": {"AWS/EC2": {
		"CPUUtilization", "CPUCreditBalance", "CPUCreditUsage", "NetworkPacketsIn", "StatusCheckFailed_Instance", "StatusCheckFailed_System"}},
	"processor":      {Namespace: Processor},
	"replicator":     {Namespace: Replicator},
	"service":        {Namespace: both(Processor, Replicator)},
	"canary_service": {Namespace: CanaryService},
	"ingestor":       {Namespace: Ingestor},
	"endpoint":       {Namespace: Canary},
}

var (
	sqsMetrics = []string{
		"ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"}
	lambdaMetrics = []string{"Invocations", "Errors", "Throttles", "Duration"}
)

// both returns what is in a and in b.
func both(a, b []string) (names []string) {
	for _, name := range a {
		if slices.Contains(b, name) {
			names = append(names, name)
		}
	}
	return names
}

func checkExported(t *testing.T, of, namespace string, names ...string) {
	t.Helper()
	for _, name := range names {
		if !slices.Contains(exported[of][namespace], name) {
			t.Errorf("metric %q in namespace %q: nothing of the kind %q exports it", name, namespace, of)
		}
	}
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// An alarm of a metric that nobody exports never fires.
func TestAlarmsNameMetrics(t *testing.T) {
	var file alarmFile
	readJSON(t, "../../modules/alarms.json", &file)
	if len(file.Alarms) < 20 {
		t.Fatalf("only %d alarms", len(file.Alarms))
	}
	word := regexp.MustCompile(`[a-zA-Z_][a-zA-Z0-9_]*`)
	for key, a := range file.Alarms {
		t.Run(key, func(t *testing.T) {
			if (a.Metric == "") == (a.Expression == "") {
				t.Error("want a metric, or terms and an expression")
			}
			if a.Metric != "" {
				checkExported(t, a.Of, a.Namespace, a.Metric)
			}
			for _, name := range a.Terms {
				checkExported(t, a.Of, a.Namespace, name)
			}
			for _, name := range word.FindAllString(a.Expression, -1) {
				if _, ok := a.Terms[name]; !ok && name != "IF" {
					t.Errorf("the expression names %q, which is no term", name)
				}
			}
			if a.Action != "" && (a.Metric == "" || a.Of != "instance") {
				t.Error("EC2 acts on alarms of one metric of an instance only")
			}
		})
	}
}

// What CloudWatch's API refuses (CloudWatch API Reference, PutMetricAlarm) would be found
// by an apply only.
func TestAlarmsAreValid(t *testing.T) {
	var file alarmFile
	readJSON(t, "../../modules/alarms.json", &file)
	in := func(t *testing.T, what, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			t.Errorf("%s %q: want one of %q", what, value, allowed)
		}
	}
	for key, a := range file.Alarms {
		t.Run(key, func(t *testing.T) {
			in(t, "severity", a.Severity, "page", "ticket", "composite")
			in(t, "statistic", a.Statistic, "SampleCount", "Average", "Sum", "Minimum", "Maximum")
			in(t, "comparison", a.Comparison, "GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold")
			in(t, "treat_missing", a.TreatMissing, "breaching", "notBreaching", "ignore", "missing")
			in(t, "action", a.Action, "", "recover", "reboot")
			if a.Threshold == nil {
				t.Error("no threshold")
			}
			if a.Period < 60 || a.Period%60 != 0 || a.Period*a.EvaluationPeriods > 86400 {
				t.Errorf("period %d, %d times: want whole minutes, and no more than a day", a.Period, a.EvaluationPeriods)
			}
			if a.Datapoints < 1 || a.Datapoints > a.EvaluationPeriods {
				t.Errorf("%d datapoints of %d", a.Datapoints, a.EvaluationPeriods)
			}
		})
	}
	for key, a := range file.Composites {
		in(t, key+": severity", a.Severity, "page", "ticket")
	}
}

// A person who is woken finds a section.
func TestAlarmsAreInTheRunbook(t *testing.T) {
	var file alarmFile
	readJSON(t, "../../modules/alarms.json", &file)
	text, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^### ([a-z0-9-]+)\n\n(.+)`).FindAllStringSubmatch(string(text), -1) {
		sections[m[1]] = true
	}
	for _, alarms := range []map[string]alarm{file.Alarms, file.Composites} {
		for key, a := range alarms {
			if a.Runbook != "docs/runbook.md#"+key {
				t.Errorf("%s: runbook is %q", key, a.Runbook)
			}
			if a.Description == "" {
				t.Errorf("%s: no description", key)
			}
			if !sections[key] {
				t.Errorf("%s: docs/runbook.md has no section ### %s with text below", key, key)
			}
			delete(sections, key)
		}
	}
	for key := range sections {
		t.Errorf("docs/runbook.md has a section of an alarm that does not exist: %s", key)
	}
}

// A widget of a metric that nobody exports stays empty.
func TestDashboardNamesMetrics(t *testing.T) {
	var widgets []struct {
		Title, Of, Namespace string
		Metrics              []string
		Statistic            string
		Stacked              bool
	}
	readJSON(t, "../../modules/alarms/dashboard.json", &widgets)
	shown := map[string]bool{}
	for _, w := range widgets {
		checkExported(t, w.Of, w.Namespace, w.Metrics...)
		for _, name := range w.Metrics {
			shown[name] = true
		}
	}
	for _, name := range Life {
		if !shown[name] {
			t.Errorf("the dashboard does not show %q", name)
		}
	}
}
