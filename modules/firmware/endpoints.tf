# Firmware order: the first of each region, then the second of each. Neighbours are in
# different regions, so that a device whose region is down needs one step.

locals {
  regions = [for region in [var.primary, var.secondary] : region if region != null]
  letters = sort(distinct(flatten([for region in local.regions : keys(region.addresses)])))

  endpoints = flatten([for letter in local.letters : [for region in local.regions : {
    name    = "${region.code}-${letter}"
    region  = region.region
    code    = region.code
    address = region.addresses[letter]
  } if contains(keys(region.addresses), letter)]])

  # Firmware that holds half of the addresses would never find the other region.
  unknown = [for region in local.regions : region.region if length(region.addresses) == 0]
}
