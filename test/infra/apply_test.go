package infra

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/gruntwork-io/terratest/modules/terraform"

	"coap-for-aws-iot/test/cloud"
	"coap-for-aws-iot/test/iam"
)

// TestApply applies the primary's root, then the secondary's, each while the other region
// is dead, and asks the API what came of it.
func TestApply(t *testing.T) {
	s := applied(t)
	t.Run("instances", func(t *testing.T) { checkInstances(t, s) })
	t.Run("queues", func(t *testing.T) { checkQueues(t, s) })
	t.Run("event sources", func(t *testing.T) { checkEventSources(t, s) })
	t.Run("alarms", func(t *testing.T) { checkAlarms(t, s) })
}

// TestApplyTheOtherWay applies the secondary's root first, the primary's with what is off by
// default, replaces an instance, and destroys both again, each while the other region is dead.
func TestApplyTheOtherWay(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.vars[primary]["faults"] = map[string]any{"on": map[string]any{}}
	s.vars[primary]["processor"] = map[string]any{
		"topic_rules": map[string]any{"changes": map[string]any{"sql": "SELECT * FROM '$aws/things/+/shadow/update/documents'"}},
	}
	s.apply(t, secondary)
	s.apply(t, primary)
	checkReplace(t, s)
	s.destroy(t, secondary)
	checkGone(t, s, secondary)
	if n := len(s.api(primary).instances(t)); n != 2 {
		t.Errorf("%d instances are left in %s, want 2", n, primary)
	}
	s.destroy(t, primary)
	checkGone(t, s, primary)
	if roles := s.api(primary).roles(t); len(roles) > 0 {
		t.Errorf("roles are left: %v", roles)
	}
}

// checkInstances: four addresses, on four instances, in four zones.
func checkInstances(t *testing.T, s *stack) {
	ips, ids, zones := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, region := range []string{primary, secondary} {
		api := s.api(region)
		instances := api.instances(t)
		for _, a := range api.addresses(t) {
			i, ok := instances[a.InstanceID]
			if !ok || i.State != "running" {
				t.Errorf("%s: %s is not on an instance that runs, but on %q", region, a.PublicIP, a.InstanceID)
			}
			if i.Type != "t4g.nano" || i.Key != "" {
				t.Errorf("%s: %s is a %s with the key %q", region, i.ID, i.Type, i.Key)
			}
			ips[a.PublicIP], ids[i.ID], zones[i.Zone] = true, true, true
		}
	}
	if len(ips) != 4 || len(ids) != 4 || len(zones) != 4 {
		t.Errorf("%d addresses on %d instances in %d zones, want four of each", len(ips), len(ids), len(zones))
	}
}

// checkReplace replaces one ingestor, as live/rollout does: its address moves to another
// instance, and nothing else moves.
func checkReplace(t *testing.T, s *stack) {
	t.Helper()
	before := s.api(primary).byAddress(t)
	o := s.root(t, primary)
	o.ExtraArgs.Apply = []string{`-replace=module.region.aws_instance.ingestor["a"]`}
	ctx, cancel := context.WithTimeout(t.Context(), applyLimit)
	defer cancel()
	terraform.ApplyContext(t, ctx, o)
	after := s.api(primary).byAddress(t)
	moved := 0
	for ip, id := range before {
		switch {
		case after[ip] == "":
			t.Errorf("the address %s is lost", ip)
		case after[ip] != id:
			moved++
		}
	}
	if len(after) != len(before) || moved != 1 {
		t.Errorf("addresses on instances were %v, are %v, want one of them moved", before, after)
	}
}

func checkQueues(t *testing.T, s *stack) {
	for _, region := range []string{primary, secondary} {
		arn := func(name string) string { return "arn:aws:sqs:" + region + ":" + cloud.Account + ":" + name }
		for name, want := range map[string]map[string]string{
			"coap-reports": {
				"MessageRetentionPeriod": "1036800", "VisibilityTimeout": "180", "MaximumMessageSize": "262144", "SqsManagedSseEnabled": "true",
				"RedrivePolicy": `{"deadLetterTargetArn":"` + arn("coap-reports-dlq") + `","maxReceiveCount":1000}`,
			},
			"coap-reports-dlq": {
				"MessageRetentionPeriod": "1209600", "SqsManagedSseEnabled": "true",
				"RedriveAllowPolicy": `{"redrivePermission":"byQueue","sourceQueueArns":["` + arn("coap-reports") + `"]}`,
			},
		} {
			url := s.regions.URL + "/" + cloud.Account + "/" + name
			out, err := s.api(region).queues().GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
				QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
			})
			if err != nil {
				t.Errorf("%s %s: %v", region, name, err)
				continue
			}
			for attribute, value := range want {
				if got := out.Attributes[attribute]; !sameJSON(got, value) {
					t.Errorf("%s %s: %s is %s, want %s", region, name, attribute, got, value)
				}
			}
			checkTLSOnly(t, arn(name), out.Attributes["Policy"])
		}
	}
}

// checkTLSOnly holds a queue's own policy: what a role may do is done over TLS only.
func checkTLSOnly(t *testing.T, arn, document string) {
	t.Helper()
	policy, err := iam.Parse(arn, document)
	if err != nil {
		t.Error(err)
		return
	}
	all := iam.Policy{Name: "role", Statements: []iam.Statement{{Actions: []string{"sqs:*"}, Resources: []string{"*"}}}}
	for _, action := range []string{"sqs:SendMessage", "sqs:ReceiveMessage"} {
		for secure, want := range map[string]bool{"true": true, "false": false} {
			call := iam.Call{Action: action, Resource: arn, Context: map[string]string{"aws:SecureTransport": secure}}
			if got := iam.Allowed([]iam.Policy{all, policy}, call); got != want {
				t.Errorf("%v with TLS %s: allowed %v, want %v", call, secure, got, want)
			}
		}
	}
}

// checkEventSources: each queue has one reader, the alias of a function in its region.
func checkEventSources(t *testing.T, s *stack) {
	for region, function := range map[string]string{primary: "coap-processor", secondary: "coap-replicator"} {
		sources := s.api(region).eventSources(t)
		if len(sources) != 1 {
			t.Errorf("%s: %d event sources, want 1", region, len(sources))
			continue
		}
		got := sources[0]
		if !strings.HasSuffix(got.FunctionArn, ":function:"+function+":live") || got.EventSourceArn != "arn:aws:sqs:"+region+":"+cloud.Account+":coap-reports" {
			t.Errorf("%s: %s reads %s", region, got.FunctionArn, got.EventSourceArn)
		}
		if got.BatchSize != 10 || got.ScalingConfig.MaximumConcurrency != 2 || !slices.Equal(got.FunctionResponseTypes, []string{"ReportBatchItemFailures"}) {
			t.Errorf("%s: the event source is %+v", region, got)
		}
	}
}

// checkGone: nothing that costs is left of a region.
func checkGone(t *testing.T, s *stack, region string) {
	t.Helper()
	api := s.api(region)
	queues, err := api.queues().ListQueues(t.Context(), &sqs.ListQueuesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for what, n := range map[string]int{
		"addresses":     len(api.addresses(t)),
		"instances":     len(api.instances(t)),
		"functions":     len(api.functions(t)),
		"event sources": len(api.eventSources(t)),
		"alarms":        len(api.alarms(t)),
		"queues":        len(queues.QueueUrls),
	} {
		if n > 0 {
			t.Errorf("%s: %d %s are left", region, n, what)
		}
	}
}

// sameJSON reports whether two texts are equal, or the same JSON but for the type of numbers.
func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return a == b
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return string(p) == string(q)
}
