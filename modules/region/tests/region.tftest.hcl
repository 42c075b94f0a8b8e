# What a plan and an apply hold, without AWS.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { id = "us-east-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  mock_data "aws_ssm_parameter" {
    defaults = { value = "ami-0123456789abcdef0" }
  }
  mock_data "aws_subnet" {
    defaults = { vpc_id = "vpc-0123" }
  }
  mock_resource "aws_vpc" {
    defaults = { ipv6_cidr_block = "2001:db8::/56" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:mocked" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }
}

override_resource {
  target = aws_eip.ingestor["a"]
  values = { public_ip = "203.0.113.1" }
}

override_resource {
  target = aws_eip.ingestor["b"]
  values = { public_ip = "203.0.113.2" }
}

variables {
  code            = "use1"
  zones           = ["use1-az1", "use1-az2"]
  ingestor_path   = "tests/artifact.txt"
  fallback_region = "eu-west-1"
  ignore_sources  = ["198.51.100.9", "198.51.100.1"]
}

run "two_ingestors_in_two_zones" {
  assert {
    condition     = length(aws_instance.ingestor) == 2 && length(aws_eip.ingestor) == 2 && length(aws_subnet.public) == 2
    error_message = "by default there are two ingestors, two addresses, two subnets"
  }
  assert {
    condition     = aws_instance.ingestor["a"].subnet_id != aws_instance.ingestor["b"].subnet_id
    error_message = "the two stand in different zones"
  }
  assert {
    condition     = output.addresses == { a = "203.0.113.1", b = "203.0.113.2" } && output.endpoints["use1-b"] == { region = "use1", address = "203.0.113.2" }
    error_message = "addresses go by letter, endpoints by name"
  }
  assert {
    condition     = alltrue([for key, association in aws_eip_association.ingestor : association.allow_reassociation && association.instance_id == aws_instance.ingestor[key].id])
    error_message = "an address moves to the new instance in one step"
  }
}

run "instances_are_hardened" {
  assert {
    condition = alltrue([for i in aws_instance.ingestor :
      i.instance_type == "t4g.nano" && i.ami == "ami-0123456789abcdef0" &&
      i.metadata_options[0].http_tokens == "required" && i.metadata_options[0].http_put_response_hop_limit == 1 &&
      i.root_block_device[0].encrypted && i.credit_specification[0].cpu_credits == "standard" &&
    i.maintenance_options[0].auto_recovery == "default"])
    error_message = "t4g.nano, IMDSv2, encrypted root, standard credits, auto recovery"
  }
}

run "flows_are_not_tracked" {
  assert {
    condition = alltrue([
      for rule in aws_vpc_security_group_ingress_rule.coap : rule.ip_protocol == "udp" && rule.from_port == 5683 && rule.to_port == 5683
      ]) && alltrue([
      for rule in aws_vpc_security_group_egress_rule.all : rule.ip_protocol == "-1"
    ])
    error_message = "CoAP in, everything out"
  }
  assert {
    condition = alltrue([for rules in [aws_vpc_security_group_ingress_rule.coap, aws_vpc_security_group_egress_rule.all] :
    rules["ipv4"].cidr_ipv4 == "0.0.0.0/0" && rules["ipv6"].cidr_ipv6 == "::/0" && length(rules) == 2])
    error_message = "from everywhere and to everywhere, in IPv4 and IPv6"
  }
}

run "queues_outlast_outages" {
  assert {
    condition = (aws_sqs_queue.reports.message_retention_seconds == 1036800 && aws_sqs_queue.dead_letter.message_retention_seconds == 1209600 &&
      aws_sqs_queue.reports.visibility_timeout_seconds == 180 && aws_sqs_queue.reports.max_message_size == 262144 &&
    aws_sqs_queue.reports.sqs_managed_sse_enabled && aws_sqs_queue.dead_letter.sqs_managed_sse_enabled)
    error_message = "12 and 14 days, 180 s, 256 KiB, encrypted"
  }
  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_policy.reports.redrive_policy).maxReceiveCount == 1000
    error_message = "the most that SQS allows"
  }
  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_allow_policy.dead_letter.redrive_allow_policy).redrivePermission == "byQueue"
    error_message = "one queue may use the dead-letter queue"
  }
  assert {
    condition = alltrue([for name, policy in { reports = aws_sqs_queue_policy.reports.policy, dlq = aws_sqs_queue_policy.dead_letter.policy } :
      jsondecode(policy).Statement[0].Effect == "Deny" && jsondecode(policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"
    ])
    error_message = "nothing without TLS"
  }
}

run "names_are_the_contract" {
  assert {
    condition = (output.queue.arn == "arn:aws:sqs:us-east-1:123456789012:coap-reports" &&
      output.queue.url == "https://sqs.us-east-1.amazonaws.com/123456789012/coap-reports" &&
    output.dead_letter_queue.name == "coap-reports-dlq" && aws_sqs_queue.reports.name == output.queue.name)
    error_message = "URLs and ARNs are built from names"
  }
  assert {
    condition     = aws_iam_role.ingestor.name == "coap-ingestor-us-east-1" && aws_s3_bucket.artifacts.bucket == "coap-artifacts-123456789012-us-east-1"
    error_message = "global names hold the region"
  }
}

run "environment" {
  assert {
    condition = output.environment["a"] == {
      AWS_REGION              = "us-east-1"
      COAP_NAME               = "use1-a"
      COAP_LISTEN             = ":5683"
      COAP_QUEUE_URL          = "https://sqs.us-east-1.amazonaws.com/123456789012/coap-reports"
      COAP_FALLBACK_QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/coap-reports"
      COAP_IGNORE_SOURCES     = "198.51.100.1,198.51.100.9,203.0.113.2"
      COAP_LINGER             = "5ms"
      COAP_LOG_GROUP          = "/coap/ingestor"
      COAP_REQUIRE_CLOCK      = "true"
      GOMEMLIMIT              = "200MiB"
    }
    error_message = "the unit's environment: ${jsonencode(output.environment["a"])}"
  }
  assert {
    condition     = alltrue([for user_data in output.user_data : startswith(user_data, "#cloud-config\n") && length(user_data) < 12288])
    error_message = "user data is a cloud-config, with room to its limit of 16 KiB"
  }
  assert {
    condition     = aws_s3_object.ingestor.key == "ingestor/${filesha256("tests/artifact.txt")}" && strcontains(output.user_data["a"], output.artifact.sha256)
    error_message = "the artifact's key and the user data hold its hash"
  }
}

run "role_by_arn" {
  assert {
    condition = { for s in jsondecode(output.policy).Statement : s.Sid => s.Resource } == {
      Send           = ["arn:aws:sqs:us-east-1:123456789012:coap-reports", "arn:aws:sqs:eu-west-1:123456789012:coap-reports"]
      Install        = "arn:aws:s3:::coap-artifacts-123456789012-us-east-1/ingestor/${filesha256("tests/artifact.txt")}"
      Log            = "arn:aws:logs:us-east-1:123456789012:log-group:/coap/ingestor:*"
      SessionManager = "*"
    }
    error_message = "the role names what it may touch: ${output.policy}"
  }
}

# What is new waits for a rollout: nothing is replaced, and the check says so.
run "settings_wait" {
  variables {
    linger        = "20ms"
    instance_type = "t4g.micro"
    ingestors = {
      a = { zone_index = 0, image_id = "ami-00000000000000001" }
      b = { zone_index = 1, image_id = "ami-00000000000000001" }
    }
  }
  assert {
    condition = alltrue([for key, id in run.two_ingestors_in_two_zones.instances : output.instances[key] == id]) && alltrue([
      for i in aws_instance.ingestor : i.ami == "ami-0123456789abcdef0" && i.instance_type == "t4g.nano"
    ])
    error_message = "the instances are those of before"
  }
  expect_failures = [check.rolled_out]
}
