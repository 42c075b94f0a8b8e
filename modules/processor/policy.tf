locals {
  # What the registry is asked for depends on what the processor may add to it.
  registry = {
    any = [
      { sid = "Things", actions = ["iot:CreateThing", "iot:DescribeThing"], resources = ["${local.iot}:thing/*"] },
      { sid = "Types", actions = ["iot:CreateThingType"], resources = ["${local.iot}:thingtype/*"] },
    ]
    things = [{ sid = "Things", actions = ["iot:CreateThing", "iot:DescribeThing"], resources = ["${local.iot}:thing/*"] }]
    none   = [{ sid = "Things", actions = ["iot:DescribeThing"], resources = ["${local.iot}:thing/*"] }]
  }
}

data "aws_iam_policy_document" "processor" {
  # Lambda's poller receives and deletes with this role; the program sends again, deletes
  # and stretches.
  statement {
    sid = "Queue"
    actions = [
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:ReceiveMessage",
      "sqs:SendMessage",
    ]
    resources = [var.queue.arn]
  }

  statement {
    sid       = "DeadLetters"
    actions   = ["sqs:SendMessage"]
    resources = [var.dead_letter_queue.arn]
  }

  statement {
    sid       = "Shadows"
    actions   = ["iot:GetThingShadow", "iot:UpdateThingShadow"]
    resources = ["${local.iot}:thing/*"]
  }

  dynamic "statement" {
    for_each = { for statement in local.registry[var.auto_create] : statement.sid => statement }

    content {
      sid       = statement.value.sid
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }

  # {type} and {id} are what devices say.
  dynamic "statement" {
    for_each = var.publish == null ? [] : [replace(replace(var.publish, "{type}", "*"), "{id}", "*")]

    content {
      sid       = "Publish"
      actions   = ["iot:Publish"]
      resources = ["${local.iot}:topic/${statement.value}"]
    }
  }

  # The action has no resource (Service Authorization Reference, AWS IoT).
  statement {
    sid       = "Endpoint"
    actions   = ["iot:DescribeEndpoint"]
    resources = ["*"]
  }
}
