# Subnets that exist, in place of a network of our own.

mock_provider "aws" {
  mock_data "aws_subnet" {
    defaults = { vpc_id = "vpc-0123" }
  }
  mock_data "aws_ssm_parameter" {
    defaults = { value = "ami-0123456789abcdef0" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:mocked" }
  }
}

variables {
  code          = "use1"
  subnet_ids    = ["subnet-0a", "subnet-0b"]
  ingestor_path = "tests/artifact.txt"
}

run "no_network_is_made" {
  assert {
    condition     = length(aws_vpc.network) + length(aws_subnet.public) + length(aws_internet_gateway.network) + length(aws_default_security_group.unused) == 0
    error_message = "nothing of the network is ours"
  }
  assert {
    condition     = aws_security_group.ingestor.vpc_id == "vpc-0123" && aws_instance.ingestor["b"].subnet_id == "subnet-0b"
    error_message = "all stands in the given network"
  }
}

run "subnets_of_two_networks" {
  command = plan

  override_data {
    target = data.aws_subnet.given["1"]
    values = { vpc_id = "vpc-9999" }
  }
  expect_failures = [aws_security_group.ingestor]
}
