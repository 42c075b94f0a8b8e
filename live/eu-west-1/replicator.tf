module "replicator" {
  source = "../../modules/replicator"

  name           = var.name
  artifact       = "${local.dist}/replicator.zip"
  queue          = module.region.queue
  primary_region = "us-east-1"
}
