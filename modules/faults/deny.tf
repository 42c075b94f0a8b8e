# AWS FIS has no fault for SQS. An automation denies the ingestors' role their queue for a
# while: what a policy that went wrong would do, and to an ingestor the same as a queue
# that answers nothing but errors.
resource "aws_ssm_document" "deny_queue" {
  name            = "${var.name}-deny-queue"
  document_type   = "Automation"
  document_format = "JSON"
  content = jsonencode({
    schemaVersion = "0.3"
    description   = "Denies ${var.sender_role.name} sqs:SendMessage to ${var.queue.name} for ${var.minutes} minutes."
    assumeRole    = aws_iam_role.automation.arn
    mainSteps = [
      {
        name      = "deny"
        action    = "aws:executeAwsApi"
        onFailure = "step:allow"
        onCancel  = "step:allow"
        nextStep  = "wait"
        inputs = {
          Service        = "iam"
          Api            = "PutRolePolicy"
          RoleName       = var.sender_role.name
          PolicyName     = local.deny_policy_name
          PolicyDocument = data.aws_iam_policy_document.deny.json
        }
      },
      {
        name      = "wait"
        action    = "aws:sleep"
        onFailure = "step:allow"
        onCancel  = "step:allow"
        nextStep  = "allow"
        inputs    = { Duration = "PT${var.minutes}M" }
      },
      {
        name   = "allow"
        action = "aws:executeAwsApi"
        isEnd  = true
        inputs = {
          Service    = "iam"
          Api        = "DeleteRolePolicy"
          RoleName   = var.sender_role.name
          PolicyName = local.deny_policy_name
        }
      },
    ]
  })
}

locals {
  deny_policy_name = "${var.name}-fault-deny-queue"
}

data "aws_iam_policy_document" "deny" {
  statement {
    sid       = "Fault"
    effect    = "Deny"
    actions   = ["sqs:SendMessage"]
    resources = [var.queue.arn]
  }
}

data "aws_iam_policy_document" "automation_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ssm.amazonaws.com"]
    }

    # Only automations of this account (AWS Systems Manager User Guide, "Cross-service
    # confused deputy prevention").
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:ssm:*:${local.account_id}:automation-execution/*"]
    }
  }
}

resource "aws_iam_role" "automation" {
  name               = "${var.name}-deny-queue-${local.region}"
  description        = "What the automation ${var.name}-deny-queue in ${local.region} may do: add an inline policy to the role ${var.sender_role.name}, and take it away."
  assume_role_policy = data.aws_iam_policy_document.automation_assume.json
}

data "aws_iam_policy_document" "automation" {
  # Whoever may put a policy on the ingestors' role may widen it as well: this is why the
  # module is off unless drills are planned.
  statement {
    sid       = "Deny"
    actions   = ["iam:DeleteRolePolicy", "iam:PutRolePolicy"]
    resources = [var.sender_role.arn]
  }
}

resource "aws_iam_role_policy" "automation" {
  name   = "deny-queue"
  role   = aws_iam_role.automation.id
  policy = data.aws_iam_policy_document.automation.json
}

resource "aws_fis_experiment_template" "deny_queue" {
  description = "Deny the ingestors of ${var.name} in ${local.region} their own queue for ${var.minutes} minutes."
  role_arn    = aws_iam_role.experiment.arn

  action {
    name      = "deny"
    action_id = "aws:ssm:start-automation-execution"

    parameter {
      key   = "documentArn"
      value = "arn:${local.partition}:ssm:${local.region}:${local.account_id}:document/${aws_ssm_document.deny_queue.name}"
    }

    # A little longer than the automation takes.
    parameter {
      key   = "maxDuration"
      value = "PT${var.minutes + 5}M"
    }
  }

  dynamic "stop_condition" {
    for_each = local.stop_conditions

    content {
      source = stop_condition.value.source
      value  = stop_condition.value.value
    }
  }

  tags = { Name = "${var.name}-deny-queue" }
}
