package infra

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gruntwork-io/terratest/modules/terraform"

	"coap-for-aws-iot/test/cloud"
	"coap-for-aws-iot/test/iam"
)

// TestPermissions starts the real programs with the environment that Terraform gives them,
// lets reports through, and holds what they asked AWS for against what their roles allow:
// all of it, and nothing else.
func TestPermissions(t *testing.T) {
	s := applied(t)
	asked := runPrograms(t, s)
	for _, region := range []string{primary, secondary} {
		plan := s.plans[region]
		queues := policiesOf(t, plan, "aws_sqs_queue_policy", nil)
		for name, trust := range roles(t, plan) {
			t.Run(name, func(t *testing.T) {
				role := policiesOf(t, plan, "aws_iam_role_policy", func(values map[string]any) bool { return values["role"] == name })
				calls := append(awsCalls(t, s, region, name), asked[name]...)
				if len(calls) == 0 {
					t.Fatal("nobody uses this role")
				}
				for _, c := range calls {
					t.Log(c)
				}
				for _, errs := range [][]error{
					iam.Denied(append(slices.Clone(role), queues...), calls),
					iam.Unneeded(role, calls),
					iam.Wildcards(role),
				} {
					for _, err := range errs {
						t.Error(err)
					}
				}
				checkRemoval(t, role, calls)
				checkTrust(t, name, trust)
			})
		}
	}
}

// checkRemoval takes one statement after the other away: something must be missed.
func checkRemoval(t *testing.T, role []iam.Policy, calls []iam.Call) {
	t.Helper()
	for i, p := range role {
		for j, s := range p.Statements {
			less := slices.Clone(role)
			less[i] = p.Without(j)
			if len(iam.Denied(less, calls)) == 0 {
				t.Errorf("without %v everything still works", s)
			}
		}
	}
}

// trusted is who runs with each role.
var trusted = map[string]string{
	"coap-ingestor-":        "ec2.amazonaws.com",
	"coap-processor-":       "lambda.amazonaws.com",
	"coap-replicator-":      "lambda.amazonaws.com",
	"coap-canary-schedule-": "scheduler.amazonaws.com",
	"coap-canary-":          "lambda.amazonaws.com",
}

// checkTrust: one service may take a role, and no other.
func checkTrust(t *testing.T, name string, trust iam.Policy) {
	t.Helper()
	service := ""
	for prefix, who := range trusted {
		if rest, ok := strings.CutPrefix(name, prefix); ok && (rest == primary || rest == secondary) {
			service = who
		}
	}
	for _, who := range []string{"ec2.amazonaws.com", "lambda.amazonaws.com", "scheduler.amazonaws.com", "iot.amazonaws.com"} {
		if got := iam.Trusts(trust, who, map[string]string{"aws:SourceAccount": cloud.Account}); got != (who == service) {
			t.Errorf("%s may take it: %v, want %v", who, got, who == service)
		}
	}
	for _, s := range trust.Statements {
		if len(s.Principals) != 1 || s.Principals["Service"] == nil {
			t.Errorf("%v trusts %v", s, s.Principals)
		}
	}
}

// roles lists the roles of a plan with their trust policies.
func roles(t *testing.T, plan *terraform.PlanStruct) map[string]iam.Policy {
	t.Helper()
	all := map[string]iam.Policy{}
	for address, r := range resources(plan, "aws_iam_role") {
		p, err := iam.Parse(address, r.AttributeValues["assume_role_policy"].(string))
		if err != nil {
			t.Fatal(err)
		}
		all[r.AttributeValues["name"].(string)] = p
	}
	if len(all) == 0 {
		t.Fatal("the plan has no roles")
	}
	return all
}

// policiesOf lists the policies of a kind that fit, in the order of their addresses.
func policiesOf(t *testing.T, plan *terraform.PlanStruct, kind string, fits func(map[string]any) bool) (all []iam.Policy) {
	t.Helper()
	found := resources(plan, kind)
	for _, address := range slices.Sorted(maps.Keys(found)) {
		values := found[address].AttributeValues
		if fits != nil && !fits(values) {
			continue
		}
		p, err := iam.Parse(address, values["policy"].(string))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// awsCalls are those that no program of ours makes: AWS itself does with the role, and the
// boot of an instance.
func awsCalls(t *testing.T, s *stack, region, role string) (calls []iam.Call) {
	t.Helper()
	plan := s.plans[region]
	secure := map[string]string{"aws:SecureTransport": "true"}
	add := func(resource string, actions ...string) {
		for _, action := range actions {
			calls = append(calls, iam.Call{Action: action, Resource: resource, Context: secure})
		}
	}
	for address, f := range resources(plan, "aws_lambda_function") {
		if !strings.HasSuffix(f.AttributeValues["role"].(string), ":role/"+role) {
			continue
		}
		// The runtime writes what the program prints.
		name := f.AttributeValues["function_name"].(string)
		add("arn:aws:logs:"+region+":"+cloud.Account+":log-group:/aws/lambda/"+name+":log-stream:2026/01/01/[1]0123456789abcdef",
			"logs:CreateLogStream", "logs:PutLogEvents")
		// The poller of its event source, if it has one.
		module, _, _ := strings.Cut(address, ".module.function.")
		for _, source := range resources(plan, "aws_lambda_event_source_mapping") {
			if strings.HasPrefix(source.Address, module+".") {
				add(source.AttributeValues["event_source_arn"].(string), "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
			}
		}
	}
	for _, schedule := range resources(plan, "aws_scheduler_schedule") {
		if strings.HasSuffix(at(schedule.AttributeValues, "target", 0, "role_arn").(string), ":role/"+role) {
			add(at(schedule.AttributeValues, "target", 0, "arn").(string), "lambda:InvokeFunction")
		}
	}
	for _, profile := range resources(plan, "aws_iam_instance_profile") {
		if profile.AttributeValues["role"] != role {
			continue
		}
		// Session Manager (AWS Systems Manager User Guide, "Verify or create an IAM role
		// with Session Manager permissions").
		add("*", "ssm:UpdateInstanceInformation",
			"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
			"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel")
		// The installer, which checkInstall runs.
		for _, f := range s.bootFiles(t, region) {
			artifact := environmentOf(environmentFile(t, f["/etc/coap/artifact.env"]))
			add("arn:aws:s3:::"+artifact["ARTIFACT_BUCKET"]+"/"+artifact["ARTIFACT_KEY"], "s3:GetObject")
		}
	}
	return calls
}

// environmentOf is an environment by name.
func environmentOf(environ []string) map[string]string {
	all := map[string]string{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		all[name] = value
	}
	return all
}

// bootFiles are the files of a region's instances, each of the ingestor's name.
func (s *stack) bootFiles(t *testing.T, region string) map[string]map[string]bootFile {
	t.Helper()
	all := map[string]map[string]bootFile{}
	api := s.api(region)
	for id := range api.instances(t) {
		files := bootFiles(t, api.userData(t, id))
		all[environmentOf(environmentFile(t, files["/etc/coap/ingestor.env"]))["COAP_NAME"]] = files
	}
	return all
}
