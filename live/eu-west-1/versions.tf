terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 7.0.0"
    }
  }

  # The bucket is in the region itself, so that this root applies while any other region
  # is down: terraform init -backend-config=bucket=NAME
  backend "s3" {
    key          = "coap/eu-west-1.tfstate"
    region       = "eu-west-1"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region              = "eu-west-1"
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = {
      Project = var.name
      Root    = "live/eu-west-1"
    }
  }
}
