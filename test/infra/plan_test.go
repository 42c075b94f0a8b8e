package infra

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gruntwork-io/terratest/modules/terraform"
	tfjson "github.com/hashicorp/terraform-json"

	"coap-for-aws-iot/test/stand"
)

// resources lists what a plan leaves behind, of one type, by address.
func resources(plan *terraform.PlanStruct, kind string) map[string]*tfjson.StateResource {
	all := map[string]*tfjson.StateResource{}
	for address, r := range plan.ResourcePlannedValuesMap {
		if r.Type == kind && r.Mode == tfjson.ManagedResourceMode {
			all[address] = r
		}
	}
	return all
}

// at reads a value inside nested attributes: names, and numbers for the elements of lists.
func at(v any, path ...any) any {
	for _, step := range path {
		switch in := v.(type) {
		case map[string]any:
			v = in[fmt.Sprint(step)]
		case []any:
			i, ok := step.(int)
			if !ok || i >= len(in) {
				return nil
			}
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

func decodeBase64(t testing.TB, text string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// want is an attribute that all resources of a type have in every plan.
type want struct {
	kind string
	path []any
	is   any
}

var everywhere = []want{
	{"aws_instance", []any{"instance_type"}, "t4g.nano"},
	{"aws_instance", []any{"key_name"}, nil},
	{"aws_instance", []any{"metadata_options", 0, "http_tokens"}, "required"},
	{"aws_instance", []any{"root_block_device", 0, "encrypted"}, true},
	{"aws_instance", []any{"credit_specification", 0, "cpu_credits"}, "standard"},
	{"aws_instance", []any{"maintenance_options", 0, "auto_recovery"}, "default"},
	{"aws_lambda_function", []any{"architectures", 0}, "arm64"},
	{"aws_lambda_function", []any{"runtime"}, "provided.al2023"},
	{"aws_lambda_function", []any{"publish"}, true},
	{"aws_lambda_event_source_mapping", []any{"function_response_types", 0}, "ReportBatchItemFailures"},
	{"aws_lambda_event_source_mapping", []any{"scaling_config", 0, "maximum_concurrency"}, 2.0},
	{"aws_sqs_queue", []any{"sqs_managed_sse_enabled"}, true},
	{"aws_sqs_queue", []any{"max_message_size"}, 262144.0},
	{"aws_s3_bucket_public_access_block", []any{"block_public_acls"}, true},
	{"aws_s3_bucket_public_access_block", []any{"restrict_public_buckets"}, true},
	{"aws_s3_bucket_versioning", []any{"versioning_configuration", 0, "status"}, "Enabled"},
}

// TestPlan looks at what each root would make from nothing.
func TestPlan(t *testing.T) {
	t.Parallel()
	stand.Terraform(t)
	tree, moto := stand.Tree(t), stand.StartMoto(t)
	ingestors := map[string]int{"live/us-east-1": 2, "live/eu-west-1": 2, "live/starter": 1}
	for _, live := range stand.Live(t) {
		t.Run(live, func(t *testing.T) {
			o := options(t, tree, live, moto.URL)
			o.PlanFilePath = t.TempDir() + "/plan"
			plan := terraform.InitAndPlanAndShowWithStructContext(t, t.Context(), o)
			for _, w := range everywhere {
				for address, r := range resources(plan, w.kind) {
					if got := at(r.AttributeValues, w.path...); got != w.is {
						t.Errorf("%s: %v is %v, want %v", address, w.path, got, w.is)
					}
				}
			}
			for _, kind := range []string{"aws_instance", "aws_eip"} {
				if n := len(resources(plan, kind)); n != ingestors[live] {
					t.Errorf("%d of %s, want %d", n, kind, ingestors[live])
				}
			}
			checkUntracked(t, plan)
			checkTimes(t, plan)
			checkRoles(t, plan)
		})
	}
}

// checkUntracked holds the rule under which a flow of UDP is not tracked (Amazon EC2 User
// Guide, "Security group connection tracking"): from everywhere in, to everywhere out.
func checkUntracked(t *testing.T, plan *terraform.PlanStruct) {
	t.Helper()
	for kind, protocol := range map[string]string{"aws_vpc_security_group_ingress_rule": "udp", "aws_vpc_security_group_egress_rule": "-1"} {
		var open []string
		for address, r := range resources(plan, kind) {
			if got := r.AttributeValues["ip_protocol"]; got != protocol {
				t.Errorf("%s: protocol %v, want %s", address, got, protocol)
			}
			for _, family := range []string{"cidr_ipv4", "cidr_ipv6"} {
				if cidr, ok := r.AttributeValues[family].(string); ok {
					open = append(open, cidr)
				}
			}
		}
		slices.Sort(open)
		if want := []string{"0.0.0.0/0", "::/0"}; !slices.Equal(open, want) {
			t.Errorf("%s: %v, want %v", kind, open, want)
		}
	}
}

// checkTimes holds retention of queues and their visibility against the functions' timeouts.
func checkTimes(t *testing.T, plan *terraform.PlanStruct) {
	t.Helper()
	const day = 86400
	longest := 0.0
	for _, mapping := range resources(plan, "aws_lambda_event_source_mapping") {
		if window, ok := mapping.AttributeValues["maximum_batching_window_in_seconds"].(float64); ok && window > 0 {
			t.Errorf("%s: window %v s, want none", mapping.Address, window)
		}
		module, _, _ := strings.Cut(mapping.Address, ".aws_")
		for address, f := range resources(plan, "aws_lambda_function") {
			if strings.HasPrefix(address, module+".") {
				longest = max(longest, f.AttributeValues["timeout"].(float64))
			}
		}
	}
	for address, q := range resources(plan, "aws_sqs_queue") {
		want, name := 12.0*day, q.AttributeValues["name"].(string)
		if strings.HasSuffix(name, "-dlq") {
			want = 14 * day
		} else if v := q.AttributeValues["visibility_timeout_seconds"].(float64); v < 6*longest {
			t.Errorf("%s: visibility %v s, want six times %v s", address, v, longest)
		}
		if got := q.AttributeValues["message_retention_seconds"]; got != want {
			t.Errorf("%s: retention %v s, want %v s", address, got, want)
		}
	}
}

// checkRoles holds that names in IAM, which are global, tell the region.
func checkRoles(t *testing.T, plan *terraform.PlanStruct) {
	t.Helper()
	for _, kind := range []string{"aws_iam_role", "aws_iam_instance_profile", "aws_iam_policy"} {
		for address, r := range resources(plan, kind) {
			name, _ := r.AttributeValues["name"].(string)
			if !strings.HasSuffix(name, "-us-east-1") && !strings.HasSuffix(name, "-eu-west-1") {
				t.Errorf("%s: the name %q does not tell the region", address, name)
			}
		}
	}
	if attached := resources(plan, "aws_iam_role_policy_attachment"); len(attached) > 0 {
		t.Errorf("policies of AWS's are attached, which allow more than is needed: %v", attached)
	}
}
