module "canary" {
  source = "../../modules/canary"

  name           = var.name
  code           = "euw1"
  artifact       = "${local.dist}/canary.zip"
  endpoints      = module.firmware.endpoints
  primary_region = "us-east-1"
  queues = {
    reports     = module.region.queue
    dead-letter = module.region.dead_letter_queue
  }
}
