mock_provider "aws" {
  source = "../testing/aws"
}

variables {
  endpoints = {
    use1-a = { region = "use1", address = "203.0.113.1" }
    use1-b = { region = "use1", address = "203.0.113.2" }
    euw1-a = { region = "euw1", address = "203.0.113.3" }
    euw1-b = { region = "euw1", address = "203.0.113.4" }
  }
  instances          = { use1-a = "i-00000000000000001", use1-b = "i-00000000000000002" }
  queues             = { reports = "coap-reports" }
  dead_letter_queues = { reports = "coap-reports-dlq" }
  functions          = { processor = "coap-processor", canary = "coap-canary" }
  subscriptions      = { on_call = { severity = "page", protocol = "email", endpoint = "on-call@example.com" } }
}

run "one_alarm_for_each_thing" {
  assert {
    condition     = length([for key in keys(output.alarms) : key if startswith(key, "deaf-")]) == 4 && length([for key in keys(output.alarms) : key if startswith(key, "unavailable-")]) == 2
    error_message = "There is not one alarm for each address and each ingestor."
  }

  assert {
    condition     = length([for key in keys(output.alarms) : key if strcontains(key, "replic")]) == 0 && contains(keys(output.alarms), "oldest-waiting-processor")
    error_message = "There are alarms of a function that this region does not have."
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.alarm) : startswith(alarm.alarm_name, "coap-") && can(regex("docs/runbook\\.md#[a-z0-9-]+$", alarm.alarm_description))])
    error_message = "An alarm does not say where the runbook has it."
  }

  assert {
    condition     = length(output.alarms) <= 100
    error_message = "More alarms than a reader of the dashboard can use."
  }
}

run "the_secondary_has_its_own" {
  variables {
    functions = { replicator = "coap-replicator", canary = "coap-canary" }
  }

  assert {
    condition     = contains(keys(output.alarms), "replication-lag-replicator") && !contains(keys(output.alarms), "poison-processor")
    error_message = "The secondary region does not watch its replicator."
  }
}

run "backlog_counts_what_is_hidden_too" {
  assert {
    condition     = one([for q in aws_cloudwatch_metric_alarm.alarm["backlog-reports"].metric_query : q.expression if q.return_data == true]) == "visible + in_flight + delayed"
    error_message = "The age alone goes blind: messages that are put off do not count in it."
  }

  assert {
    condition     = length([for q in aws_cloudwatch_metric_alarm.alarm["backlog-reports"].metric_query : q if try(q.metric[0].dimensions.QueueName, "") == "coap-reports"]) == 3
    error_message = "The three numbers are not those of the queue."
  }
}

run "instances_are_mended" {
  assert {
    condition     = contains(aws_cloudwatch_metric_alarm.alarm["system-check-use1-a"].alarm_actions, "arn:aws:automate:us-east-1:ec2:recover") && aws_cloudwatch_metric_alarm.alarm["system-check-use1-a"].dimensions.InstanceId == "i-00000000000000001"
    error_message = "An instance on broken hardware is not moved."
  }

  assert {
    condition     = contains(aws_cloudwatch_metric_alarm.alarm["instance-check-use1-b"].alarm_actions, "arn:aws:automate:us-east-1:ec2:reboot")
    error_message = "An instance that hangs is not rebooted."
  }

  # Amazon EC2 User Guide: the two alarms of an instance need different numbers of
  # periods, or they race.
  assert {
    condition     = aws_cloudwatch_metric_alarm.alarm["system-check-use1-a"].evaluation_periods != aws_cloudwatch_metric_alarm.alarm["instance-check-use1-a"].evaluation_periods
    error_message = "Recovery and reboot would race."
  }
}

run "a_deaf_region_is_a_page_and_a_deaf_ingestor_a_ticket" {
  assert {
    condition     = aws_cloudwatch_composite_alarm.region_deaf["euw1"].alarm_rule == "ALARM(\"coap-deaf-euw1-a\") AND ALARM(\"coap-deaf-euw1-b\")"
    error_message = "The region is not deaf when all its addresses are."
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.ingestor_deaf["use1"].alarm_rule == "ALARM(\"coap-deaf-use1-a\") OR ALARM(\"coap-deaf-use1-b\")" && aws_cloudwatch_composite_alarm.ingestor_deaf["use1"].actions_suppressor[0].alarm == "coap-region-deaf-use1"
    error_message = "One deaf ingestor is not told, or is told beside a deaf region."
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.nothing_applied.alarm_rule == "(ALARM(\"coap-not-applied-euw1-a\") OR ALARM(\"coap-not-applied-euw1-b\") OR ALARM(\"coap-not-applied-use1-a\") OR ALARM(\"coap-not-applied-use1-b\")) AND NOT (OK(\"coap-not-applied-euw1-a\") OR OK(\"coap-not-applied-euw1-b\") OR OK(\"coap-not-applied-use1-a\") OR OK(\"coap-not-applied-use1-b\"))"
    error_message = "A processor that stands still is not told."
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.region_not_applied["euw1"].alarm_rule == "ALARM(\"coap-not-applied-euw1-a\") OR ALARM(\"coap-not-applied-euw1-b\")" && aws_cloudwatch_composite_alarm.region_not_applied["euw1"].actions_suppressor[0].alarm == "coap-nothing-applied"
    error_message = "A replicator that stands still is not told, or is told beside a processor that does."
  }

  # The alarms below a composite tell nobody by themselves.
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.alarm["deaf-use1-a"].alarm_actions) == 0
    error_message = "A deaf address is told twice."
  }
}

run "cloudwatch_may_use_topic_and_key" {
  assert {
    condition     = alltrue([for topic in aws_sns_topic.alarms : topic.kms_master_key_id == aws_kms_key.alarms.arn])
    error_message = "With SNS's own key CloudWatch may not publish."
  }

  assert {
    condition     = contains(flatten([for s in data.aws_iam_policy_document.key.statement : s.actions if s.sid == "CloudWatch"]), "kms:GenerateDataKey*")
    error_message = "CloudWatch may not use the key."
  }

  assert {
    condition     = alltrue([for d in data.aws_iam_policy_document.topic : length(d.statement[0].condition) == 2])
    error_message = "The topics are open to alarms of other accounts."
  }
}

run "the_dashboard_is_whole" {
  assert {
    condition     = aws_cloudwatch_dashboard.region.dashboard_name == "coap-us-east-1"
    error_message = "Dashboards are global: its name does not hold the region."
  }

  assert {
    condition = alltrue(flatten([
      for widget in jsondecode(aws_cloudwatch_dashboard.region.dashboard_body).widgets : [
        for metric in try(widget.properties.metrics, []) : length(metric) == 5 && can(metric[4].label)
      ]
    ]))
    error_message = "A metric of a widget is not [namespace, name, dimension, value, options]."
  }

  assert {
    condition     = length([for widget in jsondecode(aws_cloudwatch_dashboard.region.dashboard_body).widgets : widget if try(strcontains(widget.properties.title, "Replication"), false)]) == 0
    error_message = "The primary region shows a replicator."
  }
}

run "one_region_with_one_ingestor" {
  variables {
    endpoints = { use1-a = { region = "use1", address = "203.0.113.1" } }
    instances = { use1-a = "i-00000000000000001" }
  }

  assert {
    condition     = aws_cloudwatch_composite_alarm.region_deaf["use1"].alarm_rule == "ALARM(\"coap-deaf-use1-a\")"
    error_message = "A region with one ingestor is not watched."
  }
}

run "tells_subscribers_of_their_severity" {
  expect_failures = [check.somebody_is_woken]
  variables {
    subscriptions = { ops = { severity = "ticket", protocol = "email", endpoint = "ops@example.com" } }
  }

  assert {
    condition     = aws_sns_topic_subscription.alarms["ops"].topic_arn == output.topics["ticket"]
    error_message = "The subscription is not of the severity's topic."
  }
}

run "refuses_an_ingestor_that_nobody_probes" {
  command         = plan
  expect_failures = [var.instances]
  variables {
    instances = { use1-c = "i-00000000000000003" }
  }
}

run "refuses_a_region_without_a_canary" {
  command         = plan
  expect_failures = [var.functions]
  variables {
    functions = { processor = "coap-processor" }
  }
}

run "refuses_wrong_values" {
  command         = plan
  expect_failures = [var.name, var.queues, var.dead_letter_queues, var.subscriptions]
  variables {
    name               = "CoAP"
    queues             = { reports = "arn:aws:sqs:us-east-1:123456789012:coap-reports" }
    dead_letter_queues = { reports = "https://sqs.us-east-1.amazonaws.com/123456789012/coap-reports-dlq" }
    subscriptions      = { ops = { severity = "urgent", protocol = "pigeon", endpoint = "ops@example.com" } }
  }
}
