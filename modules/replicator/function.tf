locals {
  environment = {
    COAP_QUEUE_URL         = var.queue.url
    COAP_PRIMARY_QUEUE_URL = local.primary_url
    COAP_PRIMARY_REGION    = var.primary_region
  }
}

module "function" {
  source = "../function"

  name               = "${var.name}-replicator"
  description        = "Forwards the bundles of the queue ${var.queue.name} to the queue of that name in ${var.primary_region}."
  artifact           = var.artifact
  environment        = local.environment
  policy             = data.aws_iam_policy_document.replicator.json
  timeout            = var.timeout
  memory             = var.memory
  log_retention_days = var.log_retention_days
}
