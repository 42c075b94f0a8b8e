locals {
  environment = {
    COAP_NAME           = var.code
    COAP_ENDPOINTS      = join(",", [for name, endpoint in var.endpoints : "${name}=${endpoint.address}:5683"])
    COAP_TOUCH_QUEUES   = join(",", [for key, queue in var.queues : queue.url])
    COAP_PRIMARY_REGION = var.primary_region
  }
}

module "function" {
  source = "../function"

  name               = "${var.name}-canary"
  description        = "A device that reports to every address once a minute, and looks whether its reports arrive in AWS IoT."
  artifact           = var.artifact
  environment        = local.environment
  policy             = data.aws_iam_policy_document.canary.json
  timeout            = var.timeout
  memory             = var.memory
  log_retention_days = var.log_retention_days
}

# The next minute brings the next try. Lambda's own repetitions of an asynchronous call
# would come late and overlap with it.
resource "aws_lambda_function_event_invoke_config" "canary" {
  function_name                = module.function.function.name
  qualifier                    = "live"
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}
