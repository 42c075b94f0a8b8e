module "processor" {
  source = "../../modules/processor"

  name              = var.name
  artifact          = "${local.dist}/processor.zip"
  queue             = module.region.queue
  dead_letter_queue = module.region.dead_letter_queue
  allowed_types     = var.allowed_types
}
