module "region" {
  source = "../../modules/region"

  name            = var.name
  code            = "use1"
  zones           = ["use1-az1", "use1-az2"]
  fallback_region = "eu-west-1"
  ignore_sources  = values(var.other_addresses)
  allowed_types   = var.allowed_types
  ingestor_path   = "${local.dist}/linux-arm64/ingestor"
}

locals {
  dist = coalesce(var.dist, "${path.root}/../../dist")
}
