output "function" {
  description = "The function: its name, ARN, the ARN of its alias live, and the version that the alias points at."
  value = {
    name      = aws_lambda_function.function.function_name
    arn       = aws_lambda_function.function.arn
    alias_arn = aws_lambda_alias.live.arn
    version   = aws_lambda_alias.live.function_version
  }

  # Whoever calls the function needs its permissions to be there.
  depends_on = [aws_iam_role_policy.function]
}

output "role" {
  description = "The role that the function runs with: its name and ARN."
  value       = { name = aws_iam_role.function.name, arn = aws_iam_role.function.arn }
}

output "log_group" {
  description = "Name of the function's log group."
  value       = aws_cloudwatch_log_group.function.name
}
