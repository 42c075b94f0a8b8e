module "processor" {
  source = "../../modules/processor"

  name              = var.name
  artifact          = "${local.dist}/processor.zip"
  queue             = module.region.queue
  dead_letter_queue = module.region.dead_letter_queue
  allowed_types     = var.allowed_types

  auto_create       = var.processor.auto_create
  canaries          = [for pair in setproduct(["use1", "euw1"], keys(module.firmware.endpoints)) : "canary-${pair[0]}-${pair[1]}"]
  create_per_minute = var.processor.create_per_minute
  publish           = var.processor.publish
  topic_rules       = var.processor.topic_rules
  fleet_indexing    = var.processor.fleet_indexing
  thing_groups      = var.processor.thing_groups
}
