module "firmware" {
  source = "../../modules/firmware"

  primary   = { region = "us-east-1", code = "use1", addresses = var.other_addresses }
  secondary = { region = "eu-west-1", code = "euw1", addresses = module.region.addresses }
  queues    = { eu-west-1 = { reports = module.region.queue.url, dead-letter = module.region.dead_letter_queue.url } }
  functions = { eu-west-1 = { replicator = module.replicator.function.name, canary = module.canary.function.name } }
}
