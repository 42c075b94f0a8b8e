mock_provider "aws" {
  source = "../testing/aws"

  override_data {
    target = data.aws_region.current
    values = { id = "eu-west-1" }
  }
}

variables {
  artifact       = "../function/tests/artifact.zip"
  code           = "euw1"
  primary_region = "us-east-1"
  endpoints = {
    use1-a = { region = "use1", address = "203.0.113.1" }
    euw1-a = { region = "euw1", address = "203.0.113.2" }
  }
  queues = {
    reports     = { arn = "arn:aws:sqs:eu-west-1:123456789012:coap-reports", url = "https://sqs.eu-west-1.amazonaws.com/123456789012/coap-reports" }
    dead-letter = { arn = "arn:aws:sqs:eu-west-1:123456789012:coap-reports-dlq", url = "https://sqs.eu-west-1.amazonaws.com/123456789012/coap-reports-dlq" }
  }
}

run "probes_every_address_each_minute" {
  assert {
    condition = jsonencode(output.environment) == jsonencode({
      COAP_NAME           = "euw1"
      COAP_ENDPOINTS      = "euw1-a=203.0.113.2:5683,use1-a=203.0.113.1:5683"
      COAP_TOUCH_QUEUES   = "https://sqs.eu-west-1.amazonaws.com/123456789012/coap-reports-dlq,https://sqs.eu-west-1.amazonaws.com/123456789012/coap-reports"
      COAP_PRIMARY_REGION = "us-east-1"
    })
    error_message = "The environment is not what the program reads."
  }

  assert {
    condition     = aws_scheduler_schedule.canary.schedule_expression == "rate(1 minute)" && aws_scheduler_schedule.canary.state == "ENABLED" && aws_scheduler_schedule.canary.target[0].arn == output.function.alias_arn
    error_message = "The alias is not called each minute."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.canary.maximum_retry_attempts == 0 && aws_lambda_function_event_invoke_config.canary.qualifier == "live"
    error_message = "A run that failed would be repeated into the next one."
  }
}

run "may_read_its_own_shadows_only" {
  assert {
    condition = jsonencode({ for s in data.aws_iam_policy_document.canary.statement : s.sid => sort(s.resources) }) == jsonencode({
      Shadows  = ["arn:aws:iot:us-east-1:123456789012:thing/canary-euw1-*"]
      Endpoint = ["*"]
      Queues   = ["arn:aws:sqs:eu-west-1:123456789012:coap-reports", "arn:aws:sqs:eu-west-1:123456789012:coap-reports-dlq"]
    })
    error_message = "The policy reaches something else than the canary's shadows and its region's queues."
  }

  assert {
    condition     = data.aws_iam_policy_document.schedule.statement[0].resources == toset([output.function.alias_arn])
    error_message = "The schedule may call something else than the canary."
  }
}

run "can_be_paused" {
  variables {
    enabled = false
  }

  assert {
    condition     = aws_scheduler_schedule.canary.state == "DISABLED"
    error_message = "It is not paused."
  }
}

run "refuses_runs_that_overlap" {
  command         = plan
  expect_failures = [var.timeout]
  variables {
    timeout = 60
  }
}

run "refuses_wrong_values" {
  command         = plan
  expect_failures = [var.name, var.artifact, var.code, var.endpoints, var.primary_region, var.queues, var.schedule]
  variables {
    name           = "CoAP"
    artifact       = "canary"
    code           = "ireland"
    endpoints      = { use1-a = { region = "use1", address = "coap.example.com" } }
    primary_region = "virginia"
    queues         = {}
    schedule       = "each minute"
  }
}
