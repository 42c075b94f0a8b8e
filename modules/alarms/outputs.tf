output "topics" {
  description = "ARNs of the topics that alarms are sent to: page and ticket."
  value       = { for severity, topic in aws_sns_topic.alarms : severity => topic.arn }
}

output "alarms" {
  description = "ARNs of the alarms by key, such as backlog-reports."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.alarm : key => alarm.arn }
}

output "composites" {
  description = "ARNs of the composite alarms by key, such as region-deaf-use1."
  value = merge(
    { for region, alarm in aws_cloudwatch_composite_alarm.region_deaf : "region-deaf-${region}" => alarm.arn },
    { for region, alarm in aws_cloudwatch_composite_alarm.ingestor_deaf : "ingestor-deaf-${region}" => alarm.arn },
    { for region, alarm in aws_cloudwatch_composite_alarm.region_not_applied : "region-not-applied-${region}" => alarm.arn },
    { nothing-applied = aws_cloudwatch_composite_alarm.nothing_applied.arn },
  )
}

output "dashboard" {
  description = "URL of the dashboard."
  value       = "https://${local.region}.console.aws.amazon.com/cloudwatch/home?region=${local.region}#dashboards:name=${aws_cloudwatch_dashboard.region.dashboard_name}"
}
