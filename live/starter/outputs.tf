output "own_addresses" {
  description = "The address by letter."
  value       = module.region.addresses
}

output "addresses" {
  description = "The addresses in the order in which firmware holds them."
  value       = module.firmware.addresses
}

output "c_header" {
  description = "The addresses as a C header: terraform output -raw c_header."
  value       = module.firmware.c_header
}

output "drill" {
  description = "What a drill has to know, as JSON: terraform output -raw drill."
  value       = module.firmware.drill
}

output "instances" {
  description = "Ids of the instances by the ingestor's name, for Session Manager."
  value       = module.region.instances
}

output "queue" {
  description = "The region's queue of reports."
  value       = module.region.queue
}

output "dead_letter_queue" {
  description = "The region's dead-letter queue."
  value       = module.region.dead_letter_queue
}

output "user_data" {
  description = "User data of each instance by the ingestor's letter, as the next rollout sets it."
  value       = module.region.user_data
}

output "environment" {
  description = "Environment of each ingestor's unit by the ingestor's letter, as the next rollout sets it."
  value       = module.region.environment
}
