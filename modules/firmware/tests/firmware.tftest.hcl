variables {
  primary   = { region = "us-east-1", code = "use1", addresses = { a = "203.0.113.1", b = "203.0.113.2" } }
  secondary = { region = "eu-west-1", code = "euw1", addresses = { a = "198.51.100.1", b = "198.51.100.2" } }
}

run "neighbours_are_in_different_regions" {
  assert {
    condition     = join(" ", output.addresses) == "203.0.113.1 198.51.100.1 203.0.113.2 198.51.100.2"
    error_message = "use1-a, euw1-a, use1-b, euw1-b"
  }
  assert {
    condition     = output.endpoints["euw1-b"] == { region = "euw1", address = "198.51.100.2" }
    error_message = "endpoints by name"
  }
}

run "header" {
  assert {
    condition     = output.c_header == file("tests/endpoints.h")
    error_message = "the header is ${output.c_header}"
  }
}

run "drill" {
  variables {
    queues    = { us-east-1 = { reports = "https://sqs.us-east-1.amazonaws.com/123456789012/coap-reports" } }
    functions = { us-east-1 = { processor = "coap-processor" } }
  }
  assert {
    condition = jsondecode(output.drill) == {
      endpoints = [
        { name = "use1-a", region = "us-east-1", address = "203.0.113.1" },
        { name = "euw1-a", region = "eu-west-1", address = "198.51.100.1" },
        { name = "use1-b", region = "us-east-1", address = "203.0.113.2" },
        { name = "euw1-b", region = "eu-west-1", address = "198.51.100.2" },
      ]
      queues    = { us-east-1 = { reports = "https://sqs.us-east-1.amazonaws.com/123456789012/coap-reports" } }
      functions = { us-east-1 = { processor = "coap-processor" } }
    }
    error_message = "what a drill reads: ${output.drill}"
  }
}

run "half_of_the_addresses_do_not_compile" {
  variables {
    secondary = { region = "eu-west-1", code = "euw1", addresses = {} }
  }
  assert {
    condition     = strcontains(output.c_header, "#error \"the addresses of eu-west-1 are missing") && length(output.addresses) == 2
    error_message = "firmware must not be built with one region's addresses"
  }
}

run "one_region_alone" {
  variables {
    secondary = null
  }
  assert {
    condition     = !strcontains(output.c_header, "#error") && length(output.addresses) == 2
    error_message = "one region is enough if there is no other"
  }
}

run "twice_the_same_region" {
  command = plan

  variables {
    secondary = { region = "us-east-1", code = "use2", addresses = {} }
  }
  expect_failures = [var.secondary]
}

run "nothing_at_all" {
  command = plan

  variables {
    primary   = { region = "us-east-1", code = "use1", addresses = {} }
    secondary = null
  }
  expect_failures = [output.addresses]
}

run "queue_by_name" {
  command = plan

  variables {
    queues = { us-east-1 = { reports = "coap-reports" } }
  }
  expect_failures = [var.queues]
}

run "function_by_arn" {
  command = plan

  variables {
    functions = { us-east-1 = { processor = "arn:aws:lambda:us-east-1:123456789012:function:coap-processor" } }
  }
  expect_failures = [var.functions]
}

run "code_in_place_of_region" {
  command = plan

  variables {
    primary = { region = "use1", code = "use1", addresses = {} }
  }
  expect_failures = [var.primary]
}
