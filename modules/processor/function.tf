locals {
  # Canaries are devices of this type, in every region.
  allowed_types = length(var.allowed_types) == 0 ? [] : sort(distinct(concat(var.allowed_types, ["canary"])))

  environment = merge(
    {
      COAP_QUEUE_URL         = var.queue.url
      COAP_DLQ_URL           = var.dead_letter_queue.url
      COAP_AUTO_CREATE       = var.auto_create
      COAP_CREATE_PER_MINUTE = tostring(var.create_per_minute)
    },
    var.publish == null ? {} : { COAP_PUBLISH = var.publish },
    length(local.allowed_types) == 0 ? {} : { COAP_ALLOWED_TYPES = join(",", local.allowed_types) },
  )
}

module "function" {
  source = "../function"

  name               = "${var.name}-processor"
  description        = "Applies the reports of the queue ${var.queue.name} to things and shadows of AWS IoT."
  artifact           = var.artifact
  environment        = local.environment
  policy             = data.aws_iam_policy_document.processor.json
  timeout            = var.timeout
  memory             = var.memory
  log_retention_days = var.log_retention_days
}
