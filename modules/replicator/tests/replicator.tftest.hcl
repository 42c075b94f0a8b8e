mock_provider "aws" {
  source = "../testing/aws"

  override_data {
    target = data.aws_region.current
    values = { id = "eu-west-1" }
  }
}

variables {
  artifact       = "../function/tests/artifact.zip"
  primary_region = "us-east-1"
  queue = {
    name                       = "coap-reports"
    arn                        = "arn:aws:sqs:eu-west-1:123456789012:coap-reports"
    url                        = "https://sqs.eu-west-1.amazonaws.com/123456789012/coap-reports"
    visibility_timeout_seconds = 180
  }
}

run "sends_to_the_primary_by_name" {
  assert {
    condition = jsonencode(output.environment) == jsonencode({
      COAP_QUEUE_URL         = "https://sqs.eu-west-1.amazonaws.com/123456789012/coap-reports"
      COAP_PRIMARY_QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/coap-reports"
      COAP_PRIMARY_REGION    = "us-east-1"
    })
    error_message = "The environment is not what the program reads."
  }

  assert {
    condition = jsonencode({ for s in data.aws_iam_policy_document.replicator.statement : s.sid => sort(s.resources) }) == jsonencode({
      Queue   = ["arn:aws:sqs:eu-west-1:123456789012:coap-reports"]
      Primary = ["arn:aws:sqs:us-east-1:123456789012:coap-reports"]
    })
    error_message = "The policy reaches something else than the two queues."
  }

  assert {
    condition     = !contains(flatten([for s in data.aws_iam_policy_document.replicator.statement : s.actions if s.sid == "Queue"]), "sqs:SendMessage")
    error_message = "A replicator never sends to its own queue."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.queue.function_name == output.function.alias_arn && aws_lambda_event_source_mapping.queue.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "The event source does not call the alias with partial failures."
  }
}

run "refuses_to_forward_to_itself" {
  command         = plan
  expect_failures = [data.aws_iam_policy_document.replicator]
  variables {
    primary_region = "eu-west-1"
  }
}

run "refuses_a_visibility_below_six_timeouts" {
  command         = plan
  expect_failures = [aws_lambda_event_source_mapping.queue]
  variables {
    timeout = 60
  }
}

run "refuses_wrong_values" {
  command         = plan
  expect_failures = [var.name, var.artifact, var.queue, var.primary_region, var.maximum_concurrency, var.batch_size]
  variables {
    name                = "CoAP"
    artifact            = "replicator"
    queue               = { name = "q", arn = "coap-reports", url = "https://x/q", visibility_timeout_seconds = 180 }
    primary_region      = "virginia"
    maximum_concurrency = 1
    batch_size          = 100
  }
}
