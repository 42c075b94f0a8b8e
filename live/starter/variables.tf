variable "account_id" {
  description = "The account that this is for: Terraform refuses any other one."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id is twelve digits."
  }
}

variable "name" {
  description = "Prefix of all names."
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
  description = "Thing types that are accepted. Empty: any."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for type in var.allowed_types : can(regex("^[a-zA-Z0-9:_-]{1,128}$", type))])
    error_message = "A thing type is 1 to 128 of a-z A-Z 0-9 : _ -."
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
