# What an alarm or a widget is of. For each kind: the things of that kind, and by which
# dimensions CloudWatch knows their metrics.
locals {
  functions = toset(keys(var.functions))

  services = { for key in setintersection(local.functions, ["processor", "replicator"]) : key => { service = key } }

  targets = {
    queue             = { for key, queue in var.queues : key => { QueueName = queue } }
    dead_letter_queue = { for key, queue in var.dead_letter_queues : key => { QueueName = queue } }
    function          = { for key, function in var.functions : key => { FunctionName = function } }
    canary            = { for key, function in var.functions : key => { FunctionName = function } if key == "canary" }
    canary_service    = { for key in setintersection(local.functions, ["canary"]) : key => { service = key } }
    service           = local.services
    processor         = { for key, dimensions in local.services : key => dimensions if key == "processor" }
    replicator        = { for key, dimensions in local.services : key => dimensions if key == "replicator" }
    ingestor          = { for key in keys(var.instances) : key => { ingestor = key } }
    instance          = { for key, id in var.instances : key => { InstanceId = id } }
    endpoint          = { for key in keys(var.endpoints) : key => { endpoint = key } }
  }

  endpoints_by_region = { for key, endpoint in var.endpoints : endpoint.region => key... }
}
