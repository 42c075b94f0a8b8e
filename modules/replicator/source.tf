resource "aws_lambda_event_source_mapping" "queue" {
  event_source_arn                   = var.queue.arn
  function_name                      = module.function.function.alias_arn
  batch_size                         = var.batch_size
  maximum_batching_window_in_seconds = var.batching_window
  function_response_types            = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.maximum_concurrency
  }

  lifecycle {
    # AWS Lambda Developer Guide, "Using Lambda with Amazon SQS".
    precondition {
      condition     = var.queue.visibility_timeout_seconds >= 6 * var.timeout + var.batching_window
      error_message = "The queue's visibility timeout, ${var.queue.visibility_timeout_seconds} s, is below six times the function's timeout and the window, ${6 * var.timeout + var.batching_window} s: messages would be handed out again while they are worked on. Raise the one or lower the other."
    }
  }
}
