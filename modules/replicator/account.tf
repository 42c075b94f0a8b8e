data "aws_region" "current" {}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

# The primary queue is known by its name alone, so that this region can be applied while
# the primary region is down.
locals {
  account_id    = data.aws_caller_identity.current.account_id
  primary_queue = "${var.name}-reports"
  primary_arn   = "arn:${data.aws_partition.current.partition}:sqs:${var.primary_region}:${local.account_id}:${local.primary_queue}"
  primary_url   = "https://sqs.${var.primary_region}.${data.aws_partition.current.dns_suffix}/${local.account_id}/${local.primary_queue}"
}
