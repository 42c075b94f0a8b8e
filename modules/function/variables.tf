variable "name" {
  description = "Name of the function."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,40}$", var.name))
    error_message = "name: 2 to 41 of a-z, 0-9 and -, a letter first, because a role's name is it and the region."
  }
}

variable "description" {
  description = "What the function does, in one line."
  type        = string

  validation {
    condition     = length(var.description) > 0 && length(var.description) <= 256
    error_message = "description: 1 to 256 characters."
  }
}

variable "artifact" {
  description = "Path of the zip file that holds the arm64 program bootstrap, as make dist writes it."
  type        = string

  validation {
    condition     = endswith(var.artifact, ".zip")
    error_message = "artifact: the path of a .zip file; make dist writes it."
  }
}

variable "environment" {
  description = "Environment variables of the program."
  type        = map(string)

  validation {
    condition     = alltrue([for key in keys(var.environment) : startswith(key, "COAP_")])
    error_message = "environment: every name starts with COAP_; Lambda sets AWS_REGION and the credentials itself."
  }

  # AWS Lambda Developer Guide, "Lambda quotas".
  validation {
    condition     = length(jsonencode(var.environment)) <= 4096
    error_message = "environment: Lambda takes 4 KiB of names and values in all."
  }
}

variable "policy" {
  description = "IAM policy document, as JSON: what the function may do beside its log."
  type        = string

  validation {
    condition     = can(jsondecode(var.policy))
    error_message = "policy: a policy document as JSON."
  }
}

variable "timeout" {
  description = "Seconds that one invocation may take."
  type        = number

  validation {
    condition     = var.timeout >= 5 && var.timeout <= 900
    error_message = "timeout: 5 to 900 seconds."
  }
}

variable "memory" {
  description = "Memory in MiB. CPU grows with it."
  type        = number

  validation {
    condition     = var.memory >= 128 && var.memory <= 10240
    error_message = "memory: 128 to 10240 MiB."
  }
}

variable "log_retention_days" {
  description = "Days for which the log is kept."
  type        = number

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days: one of the values that CloudWatch Logs knows, such as 30, 90 or 365."
  }
}
