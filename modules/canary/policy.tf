data "aws_iam_policy_document" "canary" {
  # The processor writes to AWS IoT of the primary region only.
  statement {
    sid     = "Shadows"
    actions = ["iot:GetThingShadow"]
    resources = [
      "arn:${data.aws_partition.current.partition}:iot:${var.primary_region}:${data.aws_caller_identity.current.account_id}:thing/canary-${var.code}-*",
    ]
  }

  # The action has no resource (Service Authorization Reference, AWS IoT).
  statement {
    sid       = "Endpoint"
    actions   = ["iot:DescribeEndpoint"]
    resources = ["*"]
  }

  statement {
    sid       = "Queues"
    actions   = ["sqs:GetQueueAttributes"]
    resources = [for queue in var.queues : queue.arn]
  }
}
