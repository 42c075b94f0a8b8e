# One region alone, an image of its own, a list of types.

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
  code          = "use1"
  zones         = ["use1-az1", "use1-az2"]
  ingestor_path = "tests/artifact.txt"
}

run "an_image_of_its_own" {
  state_key = "an_image_of_its_own"

  variables {
    code      = "euw1"
    zones     = ["euw1-az1", "euw1-az2"]
    ingestors = { c = { zone_index = 0, image_id = "ami-00000000000000001" }, d = { zone_index = 1 } }
  }
  assert {
    condition     = aws_instance.ingestor["c"].ami == "ami-00000000000000001" && aws_instance.ingestor["d"].ami == "ami-0123456789abcdef0"
    error_message = "an image is pinned for each instance"
  }
}

run "the_canary_is_allowed" {
  state_key = "the_canary_is_allowed"

  variables {
    allowed_types = ["th", "meter"]
  }
  assert {
    condition     = output.environment["b"].COAP_ALLOWED_TYPES == "canary,meter,th"
    error_message = "the canary's type is allowed: ${output.environment["b"].COAP_ALLOWED_TYPES}"
  }
}

run "one_region_alone" {
  state_key = "one_region_alone"

  variables {
    ingestors = { a = { zone_index = 0 } }
  }
  assert {
    condition     = !contains(keys(output.environment["a"]), "COAP_FALLBACK_QUEUE_URL") && !contains(keys(output.environment["a"]), "COAP_IGNORE_SOURCES")
    error_message = "no other region, no variables for it"
  }
  assert {
    condition     = jsondecode(output.policy).Statement[0].Resource == ["arn:aws:sqs:us-east-1:123456789012:coap-reports"]
    error_message = "one queue to send to"
  }
  assert {
    condition     = length(aws_instance.ingestor) == 1
    error_message = "one ingestor"
  }
}


# The longest lists that are accepted leave user data below the limit of 16 KiB.
run "longest_user_data" {
  state_key = "longest_user_data"

  variables {
    allowed_types  = [for n in range(31) : format("%0128d", n)]
    ignore_sources = [for n in range(64) : "203.0.113.${100 + n}"]
  }
  assert {
    condition     = alltrue([for user_data in output.user_data : length(user_data) < 16384])
    error_message = "user data is ${length(output.user_data["a"])} bytes"
  }
}
