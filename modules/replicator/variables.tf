variable "name" {
  description = "Prefix of all names, the same in every region."
  type        = string
  default     = "coap"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.name))
    error_message = "name: 2 to 20 of a-z, 0-9 and -, a letter first, such as coap."
  }
}

variable "artifact" {
  description = "Path of replicator.zip, which make dist writes."
  type        = string

  validation {
    condition     = endswith(var.artifact, ".zip")
    error_message = "artifact: the path of replicator.zip; make dist writes it to dist/."
  }
}

variable "queue" {
  description = "This region's queue, as modules/region outputs it."
  type = object({
    name                       = string
    arn                        = string
    url                        = string
    visibility_timeout_seconds = number
  })

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:[0-9]{12}:", var.queue.arn)) && can(regex("^https?://", var.queue.url))
    error_message = "queue: the output queue of modules/region, with arn (arn:aws:sqs:...) and url (https://...)."
  }
}

variable "primary_region" {
  description = "The region of the primary queue, which the processor reads."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.primary_region))
    error_message = "primary_region: an AWS region, such as us-east-1."
  }
}

variable "timeout" {
  description = "Seconds that one invocation may take. The queue's visibility timeout is six times that, or more."
  type        = number
  default     = 30

  validation {
    condition     = var.timeout >= 15 && var.timeout <= 900
    error_message = "timeout: 15 to 900 seconds; the program keeps up to 11 of them to give back what it could not do."
  }
}

variable "memory" {
  description = "Memory of the function in MiB. CPU grows with it."
  type        = number
  default     = 256

  validation {
    condition     = var.memory >= 128 && var.memory <= 10240
    error_message = "memory: 128 to 10240 MiB."
  }
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days: one of the values that CloudWatch Logs knows, such as 30, 90 or 365."
  }
}

variable "batch_size" {
  description = "Messages in one invocation, at most. Each is a bundle of up to some hundred reports."
  type        = number
  default     = 10

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10000 && floor(var.batch_size) == var.batch_size
    error_message = "batch_size: a whole number from 1 to 10000."
  }

  validation {
    condition     = var.batch_size <= 10 || var.batching_window >= 1
    error_message = "batch_size: above 10 needs a batching_window of 1 s or more."
  }
}

variable "batching_window" {
  description = "Seconds that Lambda may wait to fill a batch. 0: what has arrived is handed over at once."
  type        = number
  default     = 0

  validation {
    condition     = var.batching_window >= 0 && var.batching_window <= 300 && floor(var.batching_window) == var.batching_window
    error_message = "batching_window: a whole number from 0 to 300 seconds."
  }
}

variable "maximum_concurrency" {
  description = "Invocations at a time, at most. Two forward far more than two small ingestors can take."
  type        = number
  default     = 2

  validation {
    condition     = var.maximum_concurrency >= 2 && var.maximum_concurrency <= 1000 && floor(var.maximum_concurrency) == var.maximum_concurrency
    error_message = "maximum_concurrency: a whole number from 2, the least that AWS takes, to 1000."
  }
}
