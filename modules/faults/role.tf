data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["fis.amazonaws.com"]
    }

    # Only experiments of this account (AWS FIS User Guide, "Create an IAM role for AWS FIS
    # experiments").
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:fis:${local.region}:${local.account_id}:experiment/*"]
    }
  }
}

resource "aws_iam_role" "experiment" {
  name               = "${var.name}-faults-${local.region}"
  description        = "What experiments of AWS FIS in ${local.region} may break: the instances of ${var.name}, and their way to their queue."
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

data "aws_iam_policy_document" "experiment" {
  statement {
    sid       = "Instances"
    actions   = ["ec2:StartInstances", "ec2:StopInstances"]
    resources = local.instances
  }

  # The action has no resource (Service Authorization Reference, Amazon EC2).
  statement {
    sid       = "Look"
    actions   = ["ec2:DescribeInstances"]
    resources = ["*"]
  }

  # The volumes are encrypted with the account's default key. If that is one of the
  # account's own, EC2 starts an instance only for those who may give it a grant; without
  # this the instances would stay stopped (AWS FIS User Guide, "aws:ec2:stop-instances").
  statement {
    sid       = "StartEncrypted"
    actions   = ["kms:CreateGrant"]
    resources = ["arn:${local.partition}:kms:${local.region}:${local.account_id}:key/*"]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["ec2.${local.region}.amazonaws.com"]
    }

    condition {
      test     = "Bool"
      variable = "kms:GrantIsForAWSResource"
      values   = ["true"]
    }
  }

  # The name of an execution is not known before it starts. Systems Manager asks for all
  # three of them (AWSFaultInjectionSimulatorSSMAccess does the same with wildcards).
  statement {
    sid     = "StartAutomation"
    actions = ["ssm:StartAutomationExecution"]
    resources = [
      "arn:${local.partition}:ssm:${local.region}:${local.account_id}:automation-definition/${aws_ssm_document.deny_queue.name}:*",
      "arn:${local.partition}:ssm:${local.region}:${local.account_id}:automation-execution/*",
      "arn:${local.partition}:ssm:${local.region}:${local.account_id}:document/${aws_ssm_document.deny_queue.name}",
    ]
  }

  statement {
    sid       = "FollowAutomation"
    actions   = ["ssm:GetAutomationExecution", "ssm:StopAutomationExecution"]
    resources = ["arn:${local.partition}:ssm:${local.region}:${local.account_id}:automation-execution/*"]
  }

  statement {
    sid       = "PassRole"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.automation.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ssm.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "experiment" {
  name   = "experiment"
  role   = aws_iam_role.experiment.id
  policy = data.aws_iam_policy_document.experiment.json
}
