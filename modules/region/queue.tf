locals {
  day = 86400

  # Deny what does not come over TLS; who may use a queue is said by roles.
  queue_policy = {
    for name, arn in { reports = local.queue_arn, dead_letter = local.dead_letter_queue_arn } : name => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Sid       = "TLSOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    })
  }
}

resource "aws_sqs_queue" "reports" {
  name                       = local.queue_name
  visibility_timeout_seconds = var.visibility_timeout_seconds
  message_retention_seconds  = 12 * local.day
  receive_wait_time_seconds  = 20
  max_message_size           = 262144
  sqs_managed_sse_enabled    = true
}

# A message that SQS itself moves here expires by the time at which it was first sent, so
# this queue keeps longer than the other.
resource "aws_sqs_queue" "dead_letter" {
  name                       = local.dead_letter_queue_name
  visibility_timeout_seconds = var.visibility_timeout_seconds
  message_retention_seconds  = 14 * local.day
  receive_wait_time_seconds  = 20
  max_message_size           = 262144
  sqs_managed_sse_enabled    = true
}

# The most that SQS allows: an outage must not empty a queue into the other. The processor
# moves poison by itself.
resource "aws_sqs_queue_redrive_policy" "reports" {
  queue_url = aws_sqs_queue.reports.id
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter.arn
    maxReceiveCount     = 1000
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letter" {
  queue_url = aws_sqs_queue.dead_letter.id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.reports.arn]
  })
}

resource "aws_sqs_queue_policy" "reports" {
  queue_url = aws_sqs_queue.reports.id
  policy    = local.queue_policy["reports"]
}

resource "aws_sqs_queue_policy" "dead_letter" {
  queue_url = aws_sqs_queue.dead_letter.id
  policy    = local.queue_policy["dead_letter"]
}
