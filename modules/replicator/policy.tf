data "aws_iam_policy_document" "replicator" {
  # Lambda's poller receives and deletes with this role; the program stretches.
  statement {
    sid = "Queue"
    actions = [
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:ReceiveMessage",
    ]
    resources = [var.queue.arn]
  }

  # The other region's queue needs no statement of its own for this role: both are in one
  # account.
  statement {
    sid       = "Primary"
    actions   = ["sqs:SendMessage"]
    resources = [local.primary_arn]
  }

  lifecycle {
    precondition {
      condition     = var.primary_region != data.aws_region.current.id
      error_message = "primary_region is this region, ${data.aws_region.current.id}: a replicator there would forward its queue to itself for ever. Put it into the secondary region only."
    }
  }
}
