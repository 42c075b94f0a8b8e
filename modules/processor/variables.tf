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
  description = "Path of processor.zip, which make dist writes."
  type        = string

  validation {
    condition     = endswith(var.artifact, ".zip")
    error_message = "artifact: the path of processor.zip; make dist writes it to dist/."
  }
}

variable "queue" {
  description = "The primary queue, as modules/region outputs it."
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

variable "dead_letter_queue" {
  description = "The primary queue's dead-letter queue, as modules/region outputs it. What can never be applied is put there with its reason."
  type = object({
    name = string
    arn  = string
    url  = string
  })

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:[0-9]{12}:", var.dead_letter_queue.arn)) && can(regex("^https?://", var.dead_letter_queue.url))
    error_message = "dead_letter_queue: the output dead_letter_queue of modules/region, with arn (arn:aws:sqs:...) and url (https://...)."
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
  default     = 512

  validation {
    condition     = var.memory >= 256 && var.memory <= 10240
    error_message = "memory: 256 to 10240 MiB."
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

  # An event of 6 MB takes 81 MB of heap at the worst and the cache 64 MiB (src/processor,
  # Processor); Go's collector lets the heap grow to twice that.
  validation {
    condition     = var.batch_size <= 10 || var.memory >= 512
    error_message = "batch_size: above 10 needs a memory of 512 MiB or more, or events that were made to be costly end the function."
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
  description = "Invocations at a time, at most. Few are better: one holds up to 96 calls in flight, and remembers things that another would have to read."
  type        = number
  default     = 2

  validation {
    condition     = var.maximum_concurrency >= 2 && var.maximum_concurrency <= 1000 && floor(var.maximum_concurrency) == var.maximum_concurrency
    error_message = "maximum_concurrency: a whole number from 2, the least that AWS takes, to 1000."
  }
}

variable "auto_create" {
  description = "What the processor may add to the registry for a thing that is new: any (thing types and things), things (only of types that exist), none."
  type        = string
  default     = "any"

  validation {
    condition     = contains(["any", "things", "none"], var.auto_create)
    error_message = "auto_create: any, things or none."
  }
}

variable "canaries" {
  description = "Things of the canaries of all regions, such as canary-use1-euw1-a. With auto_create none they are added here, with things only their type is."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for thing in var.canaries : can(regex("^canary-[a-zA-Z0-9:_-]{1,121}$", thing))])
    error_message = "canaries: names of things, canary- and the names of a region and an endpoint, such as canary-use1-euw1-a."
  }
}

variable "create_per_minute" {
  description = "Things that may be added per minute and container, as a bound on what forged reports can cost. As many again are only looked for: what exists costs nothing. What is beyond that goes to the dead-letter queue and can be redriven. 0: no bound."
  type        = number
  default     = 600

  validation {
    condition     = var.create_per_minute >= 0 && var.create_per_minute <= 1000000 && floor(var.create_per_minute) == var.create_per_minute
    error_message = "create_per_minute: a whole number from 0 to 1000000."
  }
}

variable "allowed_types" {
  description = "Thing types that are accepted; reports of others go to the dead-letter queue. Empty: all. The type canary is added."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for type in var.allowed_types : can(regex("^[a-zA-Z0-9:_-]{1,128}$", type))])
    error_message = "allowed_types: names of thing types, 1 to 128 of a-z, A-Z, 0-9, :, _ and -."
  }

  validation {
    condition     = length(join(",", var.allowed_types)) <= 3000
    error_message = "allowed_types: at most 3000 characters in all, because Lambda takes 4 KiB of environment."
  }
}

variable "fleet_indexing" {
  description = "Makes things findable by a query: by name and type, and with shadows = true by what they report. It is one setting of the whole account in this region, and costs per update. Null: left as it is."
  type        = object({ shadows = optional(bool, false) })
  default     = null
}

variable "thing_groups" {
  description = "Thing types that get a thing group each, NAME-TYPE, whose members are all things of that type. Needs fleet_indexing."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for type in var.thing_groups : can(regex("^[a-zA-Z0-9_-]{1,80}$", type))])
    error_message = "thing_groups: thing types of 1 to 80 of a-z, A-Z, 0-9, _ and -."
  }

  validation {
    condition     = length(var.thing_groups) == 0 || var.fleet_indexing != null
    error_message = "thing_groups: set fleet_indexing too, for example {}: a group finds its things in the index."
  }
}

variable "publish" {
  description = "Topic that each report is published to before it is merged, so that rules see every reading: coap/{type}/{id}, or $aws/rules/RULE/{type}/{id} for one rule alone, which costs less. Null: reports are not published."
  type        = string
  default     = null

  validation {
    condition     = var.publish == null || can(regex("^([a-zA-Z0-9_-]+|\\$aws/rules/[a-zA-Z0-9_]+)(/([a-zA-Z0-9_-]|\\{type\\}|\\{id\\})+)+$", var.publish))
    error_message = "publish: a topic of a-z, A-Z, 0-9, _, -, {type} and {id} between slashes, such as coap/{type}/{id}."
  }
}

variable "topic_rules" {
  description = "Rules of AWS IoT by name, each a query whose results go to the log group /NAME/rules/RULE. With publish = \"coap/{type}/{id}\" an example is { coap_reports = { sql = \"SELECT * FROM 'coap/#'\" } }; without it AWS IoT itself publishes each change of a shadow to $aws/things/THING/shadow/update/documents."
  type = map(object({
    sql         = string
    description = optional(string, "Made by Terraform.")
  }))
  default = {}

  validation {
    condition     = alltrue([for rule in keys(var.topic_rules) : can(regex("^[a-zA-Z0-9_]{1,22}$", rule))])
    error_message = "topic_rules: a rule's name is 1 to 22 of a-z, A-Z, 0-9 and _, because a role's name of 64 holds it."
  }

  validation {
    condition     = alltrue([for rule in values(var.topic_rules) : can(regex("(?i)^select .* from '", rule.sql))])
    error_message = "topic_rules: sql is a query such as SELECT * FROM 'coap/reports/#'."
  }
}
