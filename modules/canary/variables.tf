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
  description = "Path of canary.zip, which make dist writes."
  type        = string

  validation {
    condition     = endswith(var.artifact, ".zip")
    error_message = "artifact: the path of canary.zip; make dist writes it to dist/."
  }
}

variable "code" {
  description = "Short name of this region, as in the names of its ingestors: use1 for us-east-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2,5}[0-9]$", var.code))
    error_message = "code: some letters and a digit, such as use1 or euw1."
  }
}

variable "endpoints" {
  description = "What is probed: every address of every region, by the name of its ingestor. region is the code of the region that it is in."
  type = map(object({
    region  = string
    address = string
  }))

  validation {
    condition     = length(var.endpoints) >= 1 && length(var.endpoints) <= 20 && alltrue([for name in keys(var.endpoints) : can(regex("^[a-z0-9-]{1,40}$", name))])
    error_message = "endpoints: 1 to 20 of them, their names of a-z, 0-9 and -, such as use1-a."
  }

  validation {
    condition     = alltrue([for endpoint in values(var.endpoints) : can(cidrnetmask("${endpoint.address}/32"))])
    error_message = "endpoints: address is an IPv4 address, such as 203.0.113.7."
  }
}

variable "primary_region" {
  description = "The region whose AWS IoT holds the shadows."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.primary_region))
    error_message = "primary_region: an AWS region, such as us-east-1."
  }
}

variable "queues" {
  description = "Queues of this region, dead-letter queues above all, that are asked for their attributes each minute: the metrics of a queue that nobody uses fall asleep after six hours, and its alarm with them."
  type = map(object({
    arn = string
    url = string
  }))

  validation {
    condition     = length(var.queues) >= 1 && alltrue([for queue in values(var.queues) : can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:[0-9]{12}:", queue.arn)) && can(regex("^https?://", queue.url))])
    error_message = "queues: at least one, each with arn (arn:aws:sqs:...) and url (https://...)."
  }
}

variable "schedule" {
  description = "When the canary runs, as EventBridge Scheduler writes it. The alarms count on every minute."
  type        = string
  default     = "rate(1 minute)"

  validation {
    condition     = can(regex("^(rate|cron)\\(.+\\)$", var.schedule))
    error_message = "schedule: rate(...) or cron(...), such as rate(1 minute)."
  }
}

variable "enabled" {
  description = "Whether the schedule runs. Off for the time of a planned outage only: alarms say that the canary is silent."
  type        = bool
  default     = true
}

variable "timeout" {
  description = "Seconds that one run may take; less than a minute, so that runs do not overlap."
  type        = number
  default     = 50

  validation {
    condition     = var.timeout >= 40 && var.timeout < 60
    error_message = "timeout: 40 to 59 seconds."
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
