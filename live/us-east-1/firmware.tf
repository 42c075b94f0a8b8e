module "firmware" {
  source = "../../modules/firmware"

  primary   = { region = "us-east-1", code = "use1", addresses = module.region.addresses }
  secondary = { region = "eu-west-1", code = "euw1", addresses = var.other_addresses }
  queues    = { us-east-1 = { reports = module.region.queue.url, dead-letter = module.region.dead_letter_queue.url } }
  functions = { us-east-1 = { processor = module.processor.function.name, canary = module.canary.function.name } }
}
