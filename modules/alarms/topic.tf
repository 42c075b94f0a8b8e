# Two topics, because a message of CloudWatch does not say how urgent it is.
locals {
  severities = toset(["page", "ticket"])
}

data "aws_iam_policy_document" "key" {
  statement {
    sid       = "Account"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account_id}:root"]
    }
  }

  # The key alias/aws/sns does not let CloudWatch in: alarms would change their state and
  # nobody would hear of it. There is no condition on the account here, because CloudWatch
  # does not reach KMS with one; the topics' policy has it.
  statement {
    sid       = "CloudWatch"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }
  }
}

resource "aws_kms_key" "alarms" {
  description             = "Encrypts the alarms of ${var.name} in ${local.region}."
  enable_key_rotation     = true
  deletion_window_in_days = 7
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "alarms" {
  name          = "alias/${var.name}-alarms"
  target_key_id = aws_kms_key.alarms.key_id
}

resource "aws_sns_topic" "alarms" {
  for_each = local.severities

  name              = "${var.name}-${each.key}"
  kms_master_key_id = aws_kms_key.alarms.arn
}

data "aws_iam_policy_document" "topic" {
  for_each = local.severities

  statement {
    sid       = "CloudWatch"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms[each.key].arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:cloudwatch:${local.region}:${local.account_id}:alarm:${var.name}-*"]
    }
  }
}

resource "aws_sns_topic_policy" "alarms" {
  for_each = local.severities

  arn    = aws_sns_topic.alarms[each.key].arn
  policy = data.aws_iam_policy_document.topic[each.key].json
}

resource "aws_sns_topic_subscription" "alarms" {
  for_each = var.subscriptions

  topic_arn = aws_sns_topic.alarms[each.value.severity].arn
  protocol  = each.value.protocol
  endpoint  = each.value.endpoint
}

# An alarm that nobody hears of is a graph.
check "somebody_is_woken" {
  assert {
    condition     = anytrue([for subscription in values(var.subscriptions) : subscription.severity == "page"])
    error_message = "Nobody is woken by an alarm of ${local.region}: subscriptions has no entry of severity page."
  }
}
