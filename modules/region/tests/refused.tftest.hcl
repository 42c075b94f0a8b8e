# Inputs that are refused, each with the fault in one variable.

mock_provider "aws" {
  mock_data "aws_ssm_parameter" {
    defaults = { value = "ami-0123456789abcdef0" }
  }
}

variables {
  code          = "use1"
  zones         = ["use1-az1", "use1-az2"]
  ingestor_path = "tests/artifact.txt"
}

run "name_that_no_bucket_bears" {
  command = plan

  variables {
    name = "Coap_1"
  }
  expect_failures = [var.name]
}

run "name_too_long" {
  command = plan

  variables {
    name = "a-name-that-is-too-long"
  }
  expect_failures = [var.name]
}

run "code_is_a_region" {
  command = plan

  variables {
    code       = "us-east-1"
    zones      = []
    subnet_ids = ["subnet-0a", "subnet-0b"]
  }
  expect_failures = [var.code]
}

run "zone_of_another_region" {
  command = plan

  variables {
    zones = ["use1-az1", "euw1-az2"]
  }
  expect_failures = [var.zones]
}

run "zone_by_name" {
  command = plan

  variables {
    zones = ["us-east-1a", "us-east-1b"]
  }
  expect_failures = [var.zones]
}

run "zone_twice" {
  command = plan

  variables {
    zones = ["use1-az1", "use1-az1"]
  }
  expect_failures = [var.zones]
}

run "zones_and_subnets" {
  command = plan

  variables {
    subnet_ids = ["subnet-0a", "subnet-0b"]
  }
  expect_failures = [var.subnet_ids]
}

run "network_too_small" {
  command = plan

  variables {
    cidr_block = "10.0.0.0/27"
  }
  expect_failures = [var.cidr_block]
}

run "network_of_nothing" {
  command = plan

  variables {
    cidr_block = "10.0.0/24"
  }
  expect_failures = [var.cidr_block]
}

run "no_ingestor" {
  command = plan

  variables {
    ingestors = {}
  }
  expect_failures = [var.ingestors]
}

run "ingestor_with_a_long_key" {
  command = plan

  variables {
    ingestors = { first = { zone_index = 0 } }
  }
  expect_failures = [var.ingestors]
}

run "image_by_name" {
  command = plan

  variables {
    ingestors = { a = { zone_index = 0, image_id = "latest" } }
  }
  expect_failures = [var.ingestors]
}

run "zone_that_is_not_there" {
  command = plan

  variables {
    ingestors = { a = { zone_index = 0 }, b = { zone_index = 2 } }
  }
  expect_failures = [var.ingestors]
}

run "two_in_one_zone" {
  command = plan

  variables {
    ingestors = { a = { zone_index = 1 }, b = { zone_index = 1 } }
  }
  expect_failures = [var.ingestors]
}

run "instance_that_is_not_arm" {
  command = plan

  variables {
    instance_type = "t3.nano"
  }
  expect_failures = [var.instance_type]
}

run "artifact_not_built" {
  command = plan

  variables {
    ingestor_path = "tests/absent"
  }
  expect_failures = [var.ingestor_path]
}

run "fallback_to_a_code" {
  command = plan

  variables {
    fallback_region = "euw1"
  }
  expect_failures = [var.fallback_region]
}

run "source_by_name" {
  command = plan

  variables {
    ignore_sources = ["euw1-a"]
  }
  expect_failures = [var.ignore_sources]
}

run "type_with_a_slash" {
  command = plan

  variables {
    allowed_types = ["a/b"]
  }
  expect_failures = [var.allowed_types]
}

run "linger_too_long" {
  command = plan

  variables {
    linger = "501ms"
  }
  expect_failures = [var.linger]
}

run "linger_without_unit" {
  command = plan

  variables {
    linger = "5"
  }
  expect_failures = [var.linger]
}

run "visibility_too_short" {
  command = plan

  variables {
    visibility_timeout_seconds = 29
  }
  expect_failures = [var.visibility_timeout_seconds]
}

run "retention_unknown_to_aws" {
  command = plan

  variables {
    log_retention_days = 31
  }
  expect_failures = [var.log_retention_days]
}

run "too_many_types" {
  command = plan

  variables {
    allowed_types = [for n in range(40) : format("%0128d", n)]
  }
  expect_failures = [var.allowed_types]
}

run "too_many_sources" {
  command = plan

  variables {
    ignore_sources = [for n in range(65) : "203.0.113.${n}"]
  }
  expect_failures = [var.ignore_sources]
}
