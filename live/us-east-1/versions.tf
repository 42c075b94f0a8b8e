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
    key          = "coap/us-east-1.tfstate"
    region       = "us-east-1"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region              = "us-east-1"
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = {
      Project = var.name
      Root    = "live/us-east-1"
    }
  }
}
