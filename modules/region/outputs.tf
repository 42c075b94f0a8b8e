output "queue" {
  description = "The region's queue of reports."
  value = {
    name                       = local.queue_name
    arn                        = local.queue_arn
    url                        = local.queue_url
    visibility_timeout_seconds = var.visibility_timeout_seconds
  }
  depends_on = [aws_sqs_queue.reports, aws_sqs_queue_redrive_policy.reports, aws_sqs_queue_policy.reports]
}

output "dead_letter_queue" {
  description = "The region's dead-letter queue."
  value = {
    name = local.dead_letter_queue_name
    arn  = local.dead_letter_queue_arn
    url  = local.dead_letter_queue_url
  }
  depends_on = [aws_sqs_queue.dead_letter, aws_sqs_queue_policy.dead_letter]
}

output "addresses" {
  description = "Elastic IPs by the ingestor's letter."
  value       = { for key, eip in aws_eip.ingestor : key => eip.public_ip }
}

output "endpoints" {
  description = "The region's endpoints by name, with the region's code and the address: what canary and alarms take."
  value = { for key, eip in aws_eip.ingestor : local.ingestor_names[key] => {
    region  = var.code
    address = eip.public_ip
  } }
}

output "instances" {
  description = "Ids of the instances by the ingestor's name."
  value       = { for key, i in aws_instance.ingestor : local.ingestor_names[key] => i.id }
}

output "image_ids" {
  description = "Images that the instances were made from, by the ingestor's name."
  value       = { for key, i in aws_instance.ingestor : local.ingestor_names[key] => i.ami }
}

output "log_group" {
  description = "Log group of the ingestors, a stream for each."
  value       = { name = local.log_group_name, arn = local.log_group_arn }
  depends_on  = [aws_cloudwatch_log_group.ingestor]
}

output "artifact" {
  description = "Where the ingestor's binary is, and its hash."
  value = {
    bucket = local.bucket_name
    key    = local.artifact_key
    sha256 = local.artifact_sha256
  }
}

output "environment" {
  description = "Environment of each ingestor's unit, by the ingestor's letter, as the next rollout sets it."
  value       = local.environment
}

output "user_data" {
  description = "User data of each instance, by the ingestor's letter, as the next rollout sets it."
  value       = local.user_data
}

output "role" {
  description = "Role of the instances."
  value       = { name = aws_iam_role.ingestor.name, arn = aws_iam_role.ingestor.arn }
}

output "policy" {
  description = "What the role of the instances allows, as JSON."
  value       = local.ingestor_policy
}
