# The index belongs to the account: there is one in each region, shared by all who use AWS
# IoT there.
resource "aws_iot_indexing_configuration" "fleet" {
  for_each = var.fleet_indexing == null ? {} : { fleet = var.fleet_indexing }

  thing_indexing_configuration {
    thing_indexing_mode = each.value.shadows ? "REGISTRY_AND_SHADOW" : "REGISTRY"
  }
}
