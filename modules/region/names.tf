# ARNs and URLs are built from names: the other region's cannot be looked up while that
# region is down, and those of this one are known in the plan.

data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

data "aws_partition" "current" {}

locals {
  region    = data.aws_region.current.id
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  domain    = data.aws_partition.current.dns_suffix

  queue_name             = "${var.name}-reports"
  dead_letter_queue_name = "${var.name}-reports-dlq"
  bucket_name            = "${var.name}-artifacts-${local.account}-${local.region}"
  log_group_name         = "/${var.name}/ingestor"

  queue_arn             = "arn:${local.partition}:sqs:${local.region}:${local.account}:${local.queue_name}"
  queue_url             = "https://sqs.${local.region}.${local.domain}/${local.account}/${local.queue_name}"
  dead_letter_queue_arn = "arn:${local.partition}:sqs:${local.region}:${local.account}:${local.dead_letter_queue_name}"
  dead_letter_queue_url = "https://sqs.${local.region}.${local.domain}/${local.account}/${local.dead_letter_queue_name}"
  bucket_arn            = "arn:${local.partition}:s3:::${local.bucket_name}"
  log_group_arn         = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${local.log_group_name}"

  fallback_queue_arn = var.fallback_region == null ? null : "arn:${local.partition}:sqs:${var.fallback_region}:${local.account}:${local.queue_name}"
  fallback_queue_url = var.fallback_region == null ? null : "https://sqs.${var.fallback_region}.${local.domain}/${local.account}/${local.queue_name}"

  ingestor_names = { for key in keys(var.ingestors) : key => "${var.code}-${key}" }
}
