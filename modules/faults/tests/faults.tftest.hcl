mock_provider "aws" {
  source = "../testing/aws"
}

variables {
  instances   = { use1-a = "i-00000000000000001", use1-b = "i-00000000000000002" }
  queue       = { name = "coap-reports", arn = "arn:aws:sqs:us-east-1:123456789012:coap-reports" }
  sender_role = { name = "coap-ingestor-us-east-1", arn = "arn:aws:iam::123456789012:role/coap-ingestor-us-east-1" }
}

run "stops_the_regions_instances_for_a_while" {
  assert {
    condition = one([for t in aws_fis_experiment_template.stop_instances.target : t.resource_arns]) == toset([
      "arn:aws:ec2:us-east-1:123456789012:instance/i-00000000000000001",
      "arn:aws:ec2:us-east-1:123456789012:instance/i-00000000000000002",
    ])
    error_message = "It stops other instances than the region's ingestors."
  }

  assert {
    condition     = one(flatten([for a in aws_fis_experiment_template.stop_instances.action : [for p in a.parameter : p.value if p.key == "startInstancesAfterDuration"]])) == "PT10M"
    error_message = "The instances would stay stopped."
  }

  assert {
    condition     = contains(flatten([for s in data.aws_iam_policy_document.experiment.statement : s.actions if length(s.condition) == 2]), "kms:CreateGrant")
    error_message = "Instances whose volumes are encrypted with a key of the account's own would stay stopped."
  }

  assert {
    condition     = one([for c in aws_fis_experiment_template.stop_instances.stop_condition : c.source]) == "none"
    error_message = "AWS FIS wants a stop condition, none if there is none."
  }
}

run "denies_the_queue_and_always_gives_it_back" {
  assert {
    condition     = [for step in jsondecode(aws_ssm_document.deny_queue.content).mainSteps : try(step.onCancel, "")] == ["step:allow", "step:allow", ""]
    error_message = "An experiment that is stopped would leave the queue denied."
  }

  assert {
    condition     = alltrue([for step in jsondecode(aws_ssm_document.deny_queue.content).mainSteps : try(step.inputs.RoleName, "coap-ingestor-us-east-1") == "coap-ingestor-us-east-1"])
    error_message = "It touches another role."
  }

  assert {
    condition     = data.aws_iam_policy_document.automation.statement[0].resources == toset(["arn:aws:iam::123456789012:role/coap-ingestor-us-east-1"])
    error_message = "The automation may put policies on other roles."
  }
}

run "ends_by_alarm_if_asked" {
  variables {
    stop_alarms = ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:coap-region-deaf-euw1"]
  }

  assert {
    condition     = one([for c in aws_fis_experiment_template.deny_queue.stop_condition : c.source]) == "aws:cloudwatch:alarm"
    error_message = "The alarm does not end the experiment."
  }
}

run "refuses_wrong_values" {
  command         = plan
  expect_failures = [var.name, var.instances, var.queue, var.sender_role, var.minutes, var.stop_alarms]
  variables {
    name        = "CoAP"
    instances   = {}
    queue       = { name = "coap-reports", arn = "coap-reports" }
    sender_role = { name = "x", arn = "x" }
    minutes     = 0
    stop_alarms = ["coap-region-deaf-euw1"]
  }
}
