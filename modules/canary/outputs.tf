output "function" {
  description = "The function: its name, ARN, the ARN of its alias live, and the version that the alias points at."
  value       = module.function.function
}

output "role" {
  description = "The role that the function runs with: its name and ARN."
  value       = module.function.role
}

output "log_group" {
  description = "Name of the function's log group."
  value       = module.function.log_group
}

output "environment" {
  description = "Environment of the program. It holds no secret."
  value       = local.environment
}
