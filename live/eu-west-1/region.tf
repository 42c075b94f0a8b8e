module "region" {
  source = "../../modules/region"

  name            = var.name
  code            = "euw1"
  zones           = ["euw1-az1", "euw1-az2"]
  fallback_region = "us-east-1"
  ignore_sources  = values(var.other_addresses)
  allowed_types   = var.allowed_types
  ingestor_path   = "${local.dist}/linux-arm64/ingestor"
}

locals {
  dist = coalesce(var.dist, "${path.root}/../../dist")
}
