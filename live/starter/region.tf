# One region, one ingestor. The modules have the names that they have in live/us-east-1:
# that root can take this one's state over, and adds the rest.
module "region" {
  source = "../../modules/region"

  name          = var.name
  code          = "use1"
  zones         = ["use1-az1", "use1-az2"]
  ingestors     = { a = { zone_index = 0 } }
  allowed_types = var.allowed_types
  ingestor_path = "${local.dist}/linux-arm64/ingestor"
}

locals {
  dist = coalesce(var.dist, "${path.root}/../../dist")
}
