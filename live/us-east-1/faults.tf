# Off, unless var.faults has the entry on: AWS FIS templates, for drills.
module "faults" {
  source   = "../../modules/faults"
  for_each = var.faults

  name        = var.name
  instances   = module.region.instances
  queue       = module.region.queue
  sender_role = module.region.role
  minutes     = each.value.minutes
}
