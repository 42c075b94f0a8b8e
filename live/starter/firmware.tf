module "firmware" {
  source = "../../modules/firmware"

  primary   = { region = "us-east-1", code = "use1", addresses = module.region.addresses }
  queues    = { us-east-1 = { reports = module.region.queue.url, dead-letter = module.region.dead_letter_queue.url } }
  functions = { us-east-1 = { processor = module.processor.function.name } }
}
