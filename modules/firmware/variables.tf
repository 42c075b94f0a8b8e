variable "primary" {
  description = "The primary region: its name, its code, the addresses of its ingestors by letter."
  type = object({
    region    = string
    code      = string
    addresses = map(string)
  })

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.primary.region)) && can(regex("^[a-z]{2,5}[0-9]$", var.primary.code))
    error_message = "primary has a region such as us-east-1, and a code such as use1."
  }
}

variable "secondary" {
  description = "The secondary region, likewise; without addresses as long as they are not known. Null: there is none."
  type = object({
    region    = string
    code      = string
    addresses = map(string)
  })
  default = null

  validation {
    condition     = var.secondary == null || try(var.secondary.region != var.primary.region && var.secondary.code != var.primary.code, false)
    error_message = "The secondary region is another one than the primary."
  }
}

variable "queues" {
  description = "URLs of queues by region and by what they hold, for drills."
  type        = map(map(string))
  default     = {}

  validation {
    condition     = alltrue(flatten([for region in var.queues : [for url in region : startswith(url, "https://")]]))
    error_message = "queues holds URLs, such as https://sqs.us-east-1.amazonaws.com/123456789012/coap-reports."
  }
}

variable "functions" {
  description = "Names of functions by region and by what they are, for drills."
  type        = map(map(string))
  default     = {}

  validation {
    condition     = alltrue(flatten([for region in var.functions : [for name in region : can(regex("^[a-zA-Z0-9_-]{1,64}$", name))]]))
    error_message = "functions holds names of functions, such as coap-processor."
  }
}
