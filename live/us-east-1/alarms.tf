module "alarms" {
  source = "../../modules/alarms"

  name               = var.name
  endpoints          = module.firmware.endpoints
  instances          = module.region.instances
  queues             = { reports = module.region.queue.name }
  dead_letter_queues = { reports = module.region.dead_letter_queue.name }
  functions = {
    processor = module.processor.function.name
    canary    = module.canary.function.name
  }
  subscriptions = var.subscriptions
}
