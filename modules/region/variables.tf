variable "name" {
  description = "Prefix of all names, the same in both regions: each builds the other's ARNs and URLs from it."
  type        = string
  default     = "coap"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,14}[a-z0-9]$", var.name))
    error_message = "name is 2 to 16 of a-z, 0-9 and hyphens, such as coap: it becomes part of a bucket's name."
  }
}

variable "code" {
  description = "Short code of the region, as in its zone ids: use1 is us-east-1. Ingestors are called use1-a, use1-b."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2,5}[0-9]$", var.code))
    error_message = "code is letters and a digit, such as use1."
  }
}

variable "zones" {
  description = "Ids of the zones of a network of our own, such as use1-az1 (an id means the same zone in every account, a name does not). Empty if subnet_ids are given."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for zone in var.zones : can(regex("^${var.code}-az[0-9]+$", zone))])
    error_message = "zones are zone ids of this region, such as [\"${var.code}-az1\", \"${var.code}-az2\"]."
  }
  validation {
    condition     = length(distinct(var.zones)) == length(var.zones) && length(var.zones) <= 4
    error_message = "zones are at most four, all different."
  }
}

variable "subnet_ids" {
  description = "Public subnets that exist, in zone_index order, in place of a network of our own. Their route table must lead to an internet gateway."
  type        = list(string)
  default     = []

  validation {
    condition     = (length(var.subnet_ids) == 0) != (length(var.zones) == 0)
    error_message = "Give either zones, for a network of our own, or subnet_ids."
  }
}

variable "cidr_block" {
  description = "IPv4 addresses of the network of our own. Both regions may use the same: nothing joins them."
  type        = string
  default     = "10.83.0.0/24"

  validation {
    condition     = can(cidrhost(var.cidr_block, 0)) && can(regex("/(1[6-9]|2[0-6])$", var.cidr_block))
    error_message = "cidr_block is an IPv4 network from /16 to /26, such as 10.83.0.0/24."
  }
}

variable "ingestors" {
  description = "The ingestors, by the letter that ends their name. zone_index chooses among zones or subnet_ids; image_id pins an arm64 AL2023 image, by default the newest one when the instance is made."
  type = map(object({
    zone_index = number
    image_id   = optional(string)
  }))
  default = {
    a = { zone_index = 0 }
    b = { zone_index = 1 }
  }

  validation {
    condition     = length(var.ingestors) > 0 && alltrue([for key in keys(var.ingestors) : can(regex("^[a-z]$", key))])
    error_message = "ingestors has at least one entry, and its keys are single letters, such as a and b."
  }
  validation {
    condition     = alltrue([for i in var.ingestors : i.image_id == null || can(regex("^ami-[0-9a-f]+$", i.image_id))])
    error_message = "image_id is the id of an arm64 Amazon Linux 2023 image, such as ami-0123456789abcdef0."
  }
  validation {
    condition     = alltrue([for i in var.ingestors : i.zone_index >= 0 && i.zone_index < length(var.zones) + length(var.subnet_ids)])
    error_message = "zone_index counts zones or subnet_ids from 0."
  }
  validation {
    condition     = length(var.ingestors) == 1 || length(distinct([for i in var.ingestors : i.zone_index])) > 1
    error_message = "Two or more ingestors stand in at least two zones: one zone that fails must not silence the region."
  }
}

variable "instance_type" {
  description = "Type of the instances, arm64. The memory limits of the unit are those of 512 MiB."
  type        = string
  default     = "t4g.nano"

  validation {
    condition     = can(regex("^[a-z]+[0-9]+g[a-z]*\\.", var.instance_type))
    error_message = "instance_type is an arm64 type, such as t4g.nano."
  }
}

variable "ingestor_path" {
  description = "The ingestor for linux/arm64, as make dist builds it."
  type        = string

  validation {
    condition     = fileexists(var.ingestor_path)
    error_message = "There is no file ${var.ingestor_path}: run make dist first."
  }
}

variable "fallback_region" {
  description = "The other region, whose queue takes what this region's does not confirm. Null: none."
  type        = string
  default     = null

  validation {
    condition     = var.fallback_region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.fallback_region))
    error_message = "fallback_region is a region such as eu-west-1, or null."
  }
}

variable "ignore_sources" {
  description = "Addresses of the other region's ingestors: no device speaks from there. Those of this region are added."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.ignore_sources : can(cidrhost("${address}/32", 0))])
    error_message = "ignore_sources are IPv4 addresses."
  }
  validation {
    condition     = length(var.ignore_sources) <= 64
    error_message = "ignore_sources are at most 64."
  }
}

variable "allowed_types" {
  description = "Thing types that are accepted, empty: any. The canary's own type is added to a list that is not empty."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for type in var.allowed_types : can(regex("^[a-zA-Z0-9:_-]{1,128}$", type))])
    error_message = "A thing type is 1 to 128 of a-z A-Z 0-9 : _ -."
  }
  validation {
    condition     = length(join(",", var.allowed_types)) <= 4096
    error_message = "allowed_types are at most 4096 characters, because user data has room for 16 KiB."
  }
}

variable "linger" {
  description = "Least time between two calls of a busy ingestor: trades money for the device's radio time."
  type        = string
  default     = "5ms"

  validation {
    condition     = can(regex("^[0-9]{1,3}ms$", var.linger)) && try(tonumber(trimsuffix(var.linger, "ms")) <= 500, false)
    error_message = "linger is 0ms to 500ms."
  }
}

variable "visibility_timeout_seconds" {
  description = "How long a received bundle is hidden: at least six times the timeout of the function that reads the queue."
  type        = number
  default     = 180

  validation {
    condition     = var.visibility_timeout_seconds >= 30 && var.visibility_timeout_seconds <= 43200
    error_message = "visibility_timeout_seconds is 30 to 43200."
  }
}

variable "log_retention_days" {
  description = "How long the ingestors' log and metric lines are kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365], var.log_retention_days)
    error_message = "log_retention_days is one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365."
  }
}
