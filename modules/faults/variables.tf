variable "name" {
  description = "Prefix of all names, the same in every region."
  type        = string
  default     = "coap"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.name))
    error_message = "name: 2 to 20 of a-z, 0-9 and -, a letter first, such as coap."
  }
}

variable "instances" {
  description = "Identifiers of this region's EC2 instances, by the name of the ingestor that runs there: what stop-instances stops."
  type        = map(string)

  validation {
    condition     = length(var.instances) >= 1 && length(var.instances) <= 5
    error_message = "instances: 1 to 5; AWS FIS takes no more ARNs in one target."
  }
}

variable "queue" {
  description = "This region's queue, as modules/region outputs it: what deny-queue denies."
  type        = object({ name = string, arn = string })

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:[0-9]{12}:", var.queue.arn))
    error_message = "queue: the output queue of modules/region, with its arn (arn:aws:sqs:...)."
  }
}

variable "sender_role" {
  description = "The role of this region's ingestors, as modules/region outputs it: whom deny-queue denies the queue."
  type        = object({ name = string, arn = string })

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/", var.sender_role.arn))
    error_message = "sender_role: the output role of modules/region, with its arn (arn:aws:iam::...)."
  }
}

variable "minutes" {
  description = "How long a fault lasts."
  type        = number
  default     = 10

  validation {
    condition     = var.minutes >= 1 && var.minutes <= 180 && floor(var.minutes) == var.minutes
    error_message = "minutes: a whole number from 1 to 180."
  }
}

variable "stop_alarms" {
  description = "ARNs of alarms of this region that end an experiment. Not those that the fault is meant to raise: the other region's addresses are a good choice."
  type        = set(string)
  default     = []

  validation {
    condition     = length(var.stop_alarms) <= 5 && alltrue([for alarm in var.stop_alarms : can(regex("^arn:[a-z-]+:cloudwatch:", alarm))])
    error_message = "stop_alarms: at most 5 ARNs of CloudWatch alarms (arn:aws:cloudwatch:...)."
  }
}
