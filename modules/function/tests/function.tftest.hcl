mock_provider "aws" {
  source = "../testing/aws"
}

variables {
  name               = "coap-thing"
  description        = "Does a thing."
  artifact           = "tests/artifact.zip"
  environment        = { COAP_QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/coap-reports" }
  policy             = "{}"
  timeout            = 30
  memory             = 256
  log_retention_days = 30
}

run "a_version_behind_an_alias" {
  assert {
    condition     = aws_lambda_function.function.publish && aws_lambda_alias.live.name == "live"
    error_message = "The function is not published under the alias live."
  }

  assert {
    condition     = output.function.version == aws_lambda_function.function.version && output.function.version != "$LATEST"
    error_message = "The alias does not point at the published version."
  }

  assert {
    condition     = aws_lambda_function.function.runtime == "provided.al2023" && aws_lambda_function.function.architectures == tolist(["arm64"])
    error_message = "The function is not an arm64 program on Amazon Linux 2023."
  }

  assert {
    condition     = aws_iam_role.function.name == "coap-thing-us-east-1"
    error_message = "IAM is global: the role's name does not hold the region."
  }

  assert {
    condition     = output.log_group == "/aws/lambda/coap-thing"
    error_message = "The log group is not the one that Lambda writes to."
  }

  assert {
    condition     = data.aws_iam_policy_document.log.statement[0].resources == toset(["${aws_cloudwatch_log_group.function.arn}:*"])
    error_message = "The function may write to something else than the streams of its log group."
  }
}

run "refuses_a_variable_of_lambdas_own" {
  command         = plan
  expect_failures = [var.environment]
  variables {
    environment = { AWS_REGION = "us-east-1" }
  }
}

run "refuses_more_than_lambda_takes" {
  command         = plan
  expect_failures = [var.environment]
  variables {
    environment = { COAP_ALLOWED_TYPES = join(",", [for i in range(500) : "meter-${i}"]) }
  }
}

run "refuses_a_policy_that_is_no_json" {
  command         = plan
  expect_failures = [var.policy]
  variables {
    policy = "allow all"
  }
}

run "refuses_an_artifact_that_is_no_zip" {
  command         = plan
  expect_failures = [var.artifact]
  variables {
    artifact = "tests/function.tftest.hcl"
  }
}

run "refuses_wrong_sizes" {
  command         = plan
  expect_failures = [var.name, var.description, var.timeout, var.memory, var.log_retention_days]
  variables {
    name               = "CoAP"
    description        = ""
    timeout            = 1
    memory             = 64
    log_retention_days = 31
  }
}
