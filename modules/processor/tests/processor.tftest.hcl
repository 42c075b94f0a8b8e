mock_provider "aws" {
  source = "../testing/aws"
}

variables {
  artifact = "../function/tests/artifact.zip"
  queue = {
    name                       = "coap-reports"
    arn                        = "arn:aws:sqs:us-east-1:123456789012:coap-reports"
    url                        = "https://sqs.us-east-1.amazonaws.com/123456789012/coap-reports"
    visibility_timeout_seconds = 180
  }
  dead_letter_queue = {
    name = "coap-reports-dlq"
    arn  = "arn:aws:sqs:us-east-1:123456789012:coap-reports-dlq"
    url  = "https://sqs.us-east-1.amazonaws.com/123456789012/coap-reports-dlq"
  }
}

run "reads_the_queue_through_the_alias" {
  assert {
    condition     = aws_lambda_event_source_mapping.queue.function_name == output.function.alias_arn && endswith(output.function.alias_arn, ":live")
    error_message = "The event source does not call the alias."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.queue.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "Without partial failures one report that fails brings back its whole batch."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.queue.scaling_config[0].maximum_concurrency == 2
    error_message = "The number of containers is not bounded."
  }

  assert {
    condition     = output.environment.COAP_DLQ_URL == var.dead_letter_queue.url && !contains(keys(output.environment), "COAP_ALLOWED_TYPES")
    error_message = "The environment is not what the program reads."
  }

  assert {
    condition     = length(aws_iot_topic_rule.rule) + length(aws_cloudformation_stack.group) + length(aws_iot_indexing_configuration.fleet) == 0
    error_message = "An option is on that nobody asked for."
  }
}

run "may_do_what_it_does" {
  assert {
    condition = jsonencode({ for s in data.aws_iam_policy_document.processor.statement : s.sid => sort(s.resources) }) == jsonencode({
      Queue       = ["arn:aws:sqs:us-east-1:123456789012:coap-reports"]
      DeadLetters = ["arn:aws:sqs:us-east-1:123456789012:coap-reports-dlq"]
      Shadows     = ["arn:aws:iot:us-east-1:123456789012:thing/*"]
      Things      = ["arn:aws:iot:us-east-1:123456789012:thing/*"]
      Types       = ["arn:aws:iot:us-east-1:123456789012:thingtype/*"]
      Endpoint    = ["*"]
    })
    error_message = "The policy reaches something else than the two queues and AWS IoT."
  }
}

run "may_not_create_what_it_is_not_to_create" {
  variables {
    auto_create = "none"
  }

  assert {
    condition     = !contains(flatten([for s in data.aws_iam_policy_document.processor.statement : s.actions]), "iot:CreateThing")
    error_message = "With auto_create = none it may still create things."
  }

  assert {
    condition     = !contains(flatten([for s in data.aws_iam_policy_document.processor.statement : s.actions]), "iot:CreateThingType")
    error_message = "With auto_create = none it may still create thing types."
  }
}

run "canaries_are_always_allowed" {
  variables {
    allowed_types = ["thermo", "canary"]
  }

  assert {
    condition     = output.environment.COAP_ALLOWED_TYPES == "canary,thermo"
    error_message = "The canaries' type is not allowed."
  }
}

run "options" {
  variables {
    fleet_indexing = { shadows = true }
    thing_groups   = ["thermo", "soil_2"]
    publish        = "coap/{type}/{id}"
    topic_rules    = { coap_reports = { sql = "SELECT * FROM 'coap/#'" } }
  }

  assert {
    condition     = aws_iot_indexing_configuration.fleet["fleet"].thing_indexing_configuration[0].thing_indexing_mode == "REGISTRY_AND_SHADOW"
    error_message = "Shadows are not in the index."
  }

  assert {
    condition     = join(" ", keys(aws_cloudformation_stack.group)) == "soil_2 thermo" && aws_cloudformation_stack.group["soil_2"].name == "coap-things-soil-2"
    error_message = "There is not one stack for each group, named as CloudFormation takes it."
  }

  assert {
    condition     = jsondecode(aws_cloudformation_stack.group["thermo"].template_body).Resources.Group.Properties.QueryString == "thingTypeName:thermo"
    error_message = "The group does not find its things."
  }

  assert {
    condition     = aws_iot_topic_rule.rule["coap_reports"].sql == "SELECT * FROM 'coap/#'" && aws_cloudwatch_log_group.rule["coap_reports"].name == "/coap/rules/coap_reports"
    error_message = "The rule has no log group."
  }

  assert {
    condition     = output.environment.COAP_PUBLISH == "coap/{type}/{id}" && one([for s in data.aws_iam_policy_document.processor.statement : s.resources if s.sid == "Publish"]) == toset(["arn:aws:iot:us-east-1:123456789012:topic/coap/*/*"])
    error_message = "Reports are not published, or may be published elsewhere."
  }
}

run "refuses_a_visibility_below_six_timeouts" {
  command         = plan
  expect_failures = [aws_lambda_event_source_mapping.queue]
  variables {
    timeout = 31
  }
}

run "counts_the_window_too" {
  command         = plan
  expect_failures = [aws_lambda_event_source_mapping.queue]
  variables {
    batching_window = 1
  }
}

run "refuses_a_large_batch_without_a_window" {
  command         = plan
  expect_failures = [var.batch_size]
  variables {
    batch_size = 11
  }
}

run "refuses_a_large_batch_in_little_memory" {
  command         = plan
  expect_failures = [var.batch_size]
  variables {
    batch_size      = 11
    batching_window = 1
    timeout         = 29
    memory          = 511
  }
}

run "takes_a_large_batch" {
  command = plan
  variables {
    batch_size      = 10000
    batching_window = 1
    timeout         = 29
    memory          = 512
  }
}

run "refuses_a_concurrency_that_aws_refuses" {
  command         = plan
  expect_failures = [var.maximum_concurrency]
  variables {
    maximum_concurrency = 1
  }
}

run "takes_basic_ingest" {
  variables {
    publish = "$aws/rules/coap_reports/{type}/{id}"
  }

  assert {
    condition     = one([for s in data.aws_iam_policy_document.processor.statement : s.resources if s.sid == "Publish"]) == toset(["arn:aws:iot:us-east-1:123456789012:topic/$aws/rules/coap_reports/*/*"])
    error_message = "The rule's own topic may not be published to."
  }
}

run "refuses_a_topic_with_a_wildcard" {
  command         = plan
  expect_failures = [var.publish]
  variables {
    publish = "coap/#"
  }
}

run "refuses_groups_without_an_index" {
  command         = plan
  expect_failures = [var.thing_groups]
  variables {
    thing_groups = ["thermo"]
  }
}

run "refuses_more_types_than_the_environment_holds" {
  command         = plan
  expect_failures = [var.allowed_types]
  variables {
    allowed_types = [for i in range(400) : "meter-${i}"]
  }
}

run "refuses_wrong_values" {
  command         = plan
  expect_failures = [var.name, var.artifact, var.queue, var.dead_letter_queue, var.auto_create, var.canaries, var.create_per_minute, var.allowed_types, var.topic_rules]
  variables {
    name              = "CoAP"
    artifact          = "processor"
    queue             = { name = "q", arn = "coap-reports", url = "https://x/q", visibility_timeout_seconds = 180 }
    dead_letter_queue = { name = "q", arn = "arn:aws:sqs:us-east-1:123456789012:q", url = "q" }
    auto_create       = "some"
    canaries          = ["use1-a"]
    create_per_minute = -1
    allowed_types     = ["thermo/1"]
    topic_rules       = { coap-changes = { sql = "SELECT * FROM 'x'" } }
  }
}

run "registers_the_canaries_where_the_processor_may_not" {
  variables {
    auto_create = "none"
    canaries    = ["canary-use1-use1-a", "canary-euw1-use1-a"]
  }

  assert {
    condition     = { for thing in aws_iot_thing.canary : thing.name => thing.thing_type_name } == { canary-use1-use1-a = "canary", canary-euw1-use1-a = "canary" }
    error_message = "Reports of the canaries would go to the dead-letter queue each minute."
  }
}

run "registers_the_type_of_the_canaries_where_the_processor_may_not" {
  variables {
    auto_create = "things"
    canaries    = ["canary-use1-use1-a"]
  }

  assert {
    condition     = keys(aws_iot_thing_type.canary) == ["canary"] && length(aws_iot_thing.canary) == 0
    error_message = "The type of the canaries is missing, or the processor would meet things that are not its own."
  }
}

run "leaves_the_canaries_to_the_processor" {
  variables {
    canaries = ["canary-use1-use1-a"]
  }

  assert {
    condition     = length(aws_iot_thing_type.canary) + length(aws_iot_thing.canary) == 0
    error_message = "Two add the same things."
  }
}
