variable "name" {
  description = "Prefix of all names, the same in every region."
  type        = string
  default     = "coap"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.name))
    error_message = "name: 2 to 20 of a-z, 0-9 and -, a letter first, such as coap."
  }
}

variable "endpoints" {
  description = "What the canary of this region probes: every address of every region, by the name of its ingestor. region is the code of the region that it is in."
  type = map(object({
    region  = string
    address = string
  }))

  validation {
    condition     = length(var.endpoints) >= 1 && length(var.endpoints) <= 20 && alltrue([for name in keys(var.endpoints) : can(regex("^[a-z0-9-]{1,40}$", name))])
    error_message = "endpoints: 1 to 20 of them, their names of a-z, 0-9 and -, such as use1-a."
  }
}

variable "instances" {
  description = "Identifiers of this region's EC2 instances, by the name of the ingestor that runs there: { use1-a = \"i-0123\" }."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.instances) : can(regex("^[a-z0-9-]{1,40}$", name))])
    error_message = "instances: the names of ingestors, of a-z, 0-9 and -, such as use1-a."
  }

  validation {
    condition     = alltrue([for name in keys(var.instances) : contains(keys(var.endpoints), name)])
    error_message = "instances: each ingestor has an address in endpoints, under the same name; one that is not probed could be deaf for weeks."
  }
}

variable "queues" {
  description = "Names of this region's queues, by what they hold: { reports = \"coap-reports\" }."
  type        = map(string)

  validation {
    condition     = alltrue([for queue in values(var.queues) : can(regex("^[a-zA-Z0-9_-]{1,80}$", queue))])
    error_message = "queues: names of queues, not ARNs or URLs."
  }
}

variable "dead_letter_queues" {
  description = "Names of this region's dead-letter queues, by what they hold: { reports = \"coap-reports-dlq\" }."
  type        = map(string)

  validation {
    condition     = alltrue([for queue in values(var.dead_letter_queues) : can(regex("^[a-zA-Z0-9_-]{1,80}$", queue))])
    error_message = "dead_letter_queues: names of queues, not ARNs or URLs."
  }
}

variable "functions" {
  description = "Names of this region's functions, by what they are: processor, replicator, canary."
  type        = map(string)

  validation {
    condition     = alltrue([for key in keys(var.functions) : contains(["processor", "replicator", "canary"], key)])
    error_message = "functions: the keys are processor, replicator and canary; leave out what this region does not have."
  }

  validation {
    condition     = contains(keys(var.functions), "canary")
    error_message = "functions: a region has a canary, see modules/canary; without one nobody notices a deaf address."
  }
}

variable "subscriptions" {
  description = "Who is told, by any key: severity page or ticket, protocol and endpoint as SNS takes them ({ severity = \"ticket\", protocol = \"email\", endpoint = \"ops@example.com\" }). The endpoint is in Terraform's state: no address that is a secret, such as a pager's integration key."
  type = map(object({
    severity = string
    protocol = string
    endpoint = string
  }))
  default = {}

  validation {
    condition     = alltrue([for s in values(var.subscriptions) : contains(["page", "ticket"], s.severity)])
    error_message = "subscriptions: severity is page or ticket."
  }

  validation {
    condition     = alltrue([for s in values(var.subscriptions) : contains(["email", "email-json", "https", "lambda", "sms", "sqs"], s.protocol)])
    error_message = "subscriptions: protocol is email, email-json, https, lambda, sms or sqs."
  }
}
