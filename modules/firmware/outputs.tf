output "addresses" {
  description = "The addresses in the order in which firmware holds them."
  value       = [for e in local.endpoints : e.address]

  precondition {
    condition     = length(local.endpoints) > 0
    error_message = "There are no addresses at all: give those of at least one region."
  }
}

output "endpoints" {
  description = "The endpoints by name, with their region's code and address: what canary and alarms take."
  value       = { for e in local.endpoints : e.name => { region = e.code, address = e.address } }
}

output "c_header" {
  description = "The addresses as a C header for firmware. It does not compile while a region's addresses are unknown."
  value = join("\n", concat(
    [
      "/* The endpoints of the fleet, in the order in which a device holds them. */",
      "#ifndef COAP_ENDPOINTS_H",
      "#define COAP_ENDPOINTS_H",
      "",
      "#include <stdint.h>",
      "",
    ],
    [for region in local.unknown : "#error \"the addresses of ${region} are missing: set other_addresses and apply again\""],
    [
      "#define COAP_PORT 5683",
      "#define COAP_ENDPOINTS ${length(local.endpoints)}",
      "",
      "static const uint8_t coap_endpoints[COAP_ENDPOINTS][4] = {",
    ],
    [for e in local.endpoints : "\t{${replace(e.address, ".", ", ")}}, /* ${e.name} */"],
    ["};", "", "#endif", ""],
  ))
}

output "drill" {
  description = "Endpoints, queues and functions as JSON, for drills."
  value = jsonencode({
    endpoints = [for e in local.endpoints : { name = e.name, region = e.region, address = e.address }]
    queues    = var.queues
    functions = var.functions
  })
}
