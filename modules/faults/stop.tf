locals {
  instances = [for id in values(var.instances) : "arn:${local.partition}:ec2:${local.region}:${local.account_id}:instance/${id}"]
}

# The region is deaf. Addresses stay, and the instances start again by themselves.
resource "aws_fis_experiment_template" "stop_instances" {
  description = "Stop all ingestors of ${var.name} in ${local.region} for ${var.minutes} minutes."
  role_arn    = aws_iam_role.experiment.arn

  action {
    name      = "stop"
    action_id = "aws:ec2:stop-instances"

    parameter {
      key   = "startInstancesAfterDuration"
      value = "PT${var.minutes}M"
    }

    target {
      key   = "Instances"
      value = "ingestors"
    }
  }

  target {
    name           = "ingestors"
    resource_type  = "aws:ec2:instance"
    resource_arns  = local.instances
    selection_mode = "ALL"
  }

  dynamic "stop_condition" {
    for_each = local.stop_conditions

    content {
      source = stop_condition.value.source
      value  = stop_condition.value.value
    }
  }

  tags = { Name = "${var.name}-stop-instances" }
}

locals {
  stop_conditions = length(var.stop_alarms) == 0 ? [{ source = "none", value = null }] : [
    for alarm in var.stop_alarms : { source = "aws:cloudwatch:alarm", value = alarm }
  ]
}
