# A dynamic group has its members by a query of the index, so the processor need not know
# of it. The AWS provider makes static groups only; CloudFormation makes both.
resource "aws_cloudformation_stack" "group" {
  for_each = var.thing_groups

  name = "${var.name}-things-${replace(each.key, "_", "-")}"
  template_body = jsonencode({
    Resources = {
      Group = {
        Type = "AWS::IoT::ThingGroup"
        Properties = {
          ThingGroupName = "${var.name}-${each.key}"
          QueryString    = "thingTypeName:${each.key}"
          ThingGroupProperties = {
            ThingGroupDescription = "All things of type ${each.key}."
          }
        }
      }
    }
  })

  depends_on = [aws_iot_indexing_configuration.fleet]
}
