# What an instance may do: put reports on two queues, fetch its binary, write its log, be
# reached by Session Manager. Its metrics are lines of its log.

locals {
  # Session Manager's actions name no resource (AWS Systems Manager User Guide, "Verify or
  # create an IAM role with Session Manager permissions").
  ingestor_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Send"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = compact([local.queue_arn, local.fallback_queue_arn])
      },
      {
        Sid      = "Install"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${local.bucket_arn}/${local.artifact_key}"
      },
      {
        Sid      = "Log"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${local.log_group_arn}:*"
      },
      {
        Sid    = "SessionManager"
        Effect = "Allow"
        Action = [
          "ssm:UpdateInstanceInformation",
          "ssmmessages:CreateControlChannel",
          "ssmmessages:CreateDataChannel",
          "ssmmessages:OpenControlChannel",
          "ssmmessages:OpenDataChannel",
        ]
        Resource = "*"
      },
    ]
  })
}

# Names in IAM are global, so the region is part of them.
resource "aws_iam_role" "ingestor" {
  name        = "${var.name}-ingestor-${local.region}"
  description = "The CoAP ingestors of ${local.region}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.${local.domain}" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "ingestor" {
  name   = "ingestor"
  role   = aws_iam_role.ingestor.id
  policy = local.ingestor_policy
}

resource "aws_iam_instance_profile" "ingestor" {
  name = "${var.name}-ingestor-${local.region}"
  role = aws_iam_role.ingestor.name
}
