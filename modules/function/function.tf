resource "aws_lambda_function" "function" {
  function_name    = var.name
  description      = var.description
  role             = aws_iam_role.function.arn
  runtime          = "provided.al2023"
  architectures    = ["arm64"]
  handler          = "bootstrap"
  filename         = var.artifact
  source_code_hash = filebase64sha256(var.artifact)
  timeout          = var.timeout
  memory_size      = var.memory

  # Terraform updates configuration and code in two calls. Callers see neither: the
  # alias moves to a version that has both.
  publish = true

  environment {
    variables = var.environment
  }

  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "The version that is called. To roll back, point it at an older one, then apply the older artifact."
  function_name    = aws_lambda_function.function.function_name
  function_version = aws_lambda_function.function.version
}
