variable "account_id" {
  description = "The account that this is for: Terraform refuses any other one."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id is twelve digits."
  }
}

variable "name" {
  description = "Prefix of all names, the same in both regions."
  type        = string
  default     = "coap"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,14}[a-z0-9]$", var.name))
    error_message = "name is 2 to 16 of a-z, 0-9 and hyphens, such as coap."
  }
}

variable "dist" {
  description = "Where make dist has put the artifacts. Null: dist/ of this repository."
  type        = string
  default     = null

  validation {
    condition     = var.dist == null || try(length(var.dist) > 0, false)
    error_message = "dist is a folder, or null."
  }
}

variable "allowed_types" {
  description = "Thing types that are accepted, the same in both regions. Empty: any."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for type in var.allowed_types : can(regex("^[a-zA-Z0-9:_-]{1,128}$", type))])
    error_message = "A thing type is 1 to 128 of a-z A-Z 0-9 : _ -."
  }
}

variable "other_addresses" {
  description = "The other region's addresses by letter, as its own_addresses says. Empty until they are known."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for letter, address in var.other_addresses : can(regex("^[a-z]$", letter)) && can(cidrhost("${address}/32", 0))])
    error_message = "other_addresses is what terraform output own_addresses says in the other root, such as { a = \"203.0.113.1\", b = \"203.0.113.2\" }."
  }
}

variable "subscriptions" {
  description = "Who hears of alarms: severity is page or ticket, protocol and endpoint are those of SNS."
  type = map(object({
    severity = string
    protocol = string
    endpoint = string
  }))
  default = {}

  validation {
    condition     = alltrue([for s in var.subscriptions : contains(["page", "ticket"], s.severity)])
    error_message = "severity is page or ticket."
  }
}

variable "faults" {
  description = "AWS FIS templates that stop this region's instances or deny its queue, for drills: { on = {} }. Empty: none."
  type        = map(object({ minutes = optional(number, 10) }))
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.faults), ["on"])) == 0
    error_message = "faults is empty or { on = {} }, with minutes if 10 are not right."
  }
}

variable "processor" {
  description = "Options of the processor, see modules/processor: what it may add to the registry, publishing, rules, groups and index of things."
  type = object({
    auto_create       = optional(string, "any")
    create_per_minute = optional(number, 600)
    publish           = optional(string)
    topic_rules       = optional(map(object({ sql = string, description = optional(string) })), {})
    fleet_indexing    = optional(object({ shadows = optional(bool, false) }))
    thing_groups      = optional(set(string), [])
  })
  default = {}

  validation {
    condition     = contains(["any", "things", "none"], var.processor.auto_create)
    error_message = "processor: auto_create is any, things or none."
  }
}
