# Canaries are devices: where the processor may not add their type or their things, they
# are added here, or their reports would go to the dead-letter queue each minute and
# nothing-applied would page for ever.

locals {
  canary_type   = toset(var.auto_create == "any" || length(var.canaries) == 0 ? [] : ["canary"])
  canary_things = var.auto_create == "none" ? var.canaries : toset([])
}

resource "aws_iot_thing_type" "canary" {
  for_each = local.canary_type

  name = each.key
}

resource "aws_iot_thing" "canary" {
  for_each = local.canary_things

  name            = each.key
  thing_type_name = aws_iot_thing_type.canary["canary"].name
}
