# What a rule selects goes to a log group, as an example of the actions of AWS IoT.
resource "aws_cloudwatch_log_group" "rule" {
  for_each = var.topic_rules

  name              = "/${var.name}/rules/${each.key}"
  retention_in_days = var.log_retention_days
}

data "aws_iam_policy_document" "rule_assume" {
  for_each = var.topic_rules

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["iot.amazonaws.com"]
    }

    # Only this rule, not one that a stranger makes in AWS IoT (AWS IoT Core Developer
    # Guide, "Cross-service confused deputy prevention").
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["${local.iot}:rule/${each.key}"]
    }
  }
}

resource "aws_iam_role" "rule" {
  for_each = var.topic_rules

  name               = "${var.name}-rule-${each.key}-${data.aws_region.current.id}"
  description        = "What the topic rule ${each.key} in ${data.aws_region.current.id} may do: write to its log group."
  assume_role_policy = data.aws_iam_policy_document.rule_assume[each.key].json
}

data "aws_iam_policy_document" "rule" {
  for_each = var.topic_rules

  # AWS IoT Core Developer Guide, "CloudWatch Logs" (rule actions).
  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.rule[each.key].arn}:*"]
  }
}

resource "aws_iam_role_policy" "rule" {
  for_each = var.topic_rules

  name   = "log"
  role   = aws_iam_role.rule[each.key].id
  policy = data.aws_iam_policy_document.rule[each.key].json
}

resource "aws_iot_topic_rule" "rule" {
  for_each = var.topic_rules

  name        = each.key
  description = each.value.description
  enabled     = true
  sql         = each.value.sql
  sql_version = "2016-03-23"

  cloudwatch_logs {
    log_group_name = aws_cloudwatch_log_group.rule[each.key].name
    role_arn       = aws_iam_role.rule[each.key].arn
  }

  depends_on = [aws_iam_role_policy.rule]
}
