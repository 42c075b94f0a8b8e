locals {
  # For each endpoint the alarms that say so.
  deaf        = { for key in keys(var.endpoints) : key => "ALARM(\"${aws_cloudwatch_metric_alarm.alarm["deaf-${key}"].alarm_name}\")" }
  not_applied = { for key in keys(var.endpoints) : key => aws_cloudwatch_metric_alarm.alarm["not-applied-${key}"].alarm_name }
}

# All addresses of a region: devices have lost half of their endpoints.
resource "aws_cloudwatch_composite_alarm" "region_deaf" {
  for_each = local.endpoints_by_region

  alarm_name        = "${var.name}-region-deaf-${each.key}"
  alarm_description = "${each.key}: ${local.file.composites["region-deaf"].description} ${local.file.composites["region-deaf"].runbook}"
  alarm_rule        = join(" AND ", [for endpoint in each.value : local.deaf[endpoint]])
  alarm_actions     = [aws_sns_topic.alarms[local.file.composites["region-deaf"].severity].arn]
  ok_actions        = [aws_sns_topic.alarms[local.file.composites["region-deaf"].severity].arn]
}

# Some address of a region. It waits for the alarm above, so that a dead region is one
# page and not three messages.
resource "aws_cloudwatch_composite_alarm" "ingestor_deaf" {
  for_each = local.endpoints_by_region

  alarm_name        = "${var.name}-ingestor-deaf-${each.key}"
  alarm_description = "${each.key}: ${local.file.composites["ingestor-deaf"].description} ${local.file.composites["ingestor-deaf"].runbook}"
  alarm_rule        = join(" OR ", [for endpoint in each.value : local.deaf[endpoint]])
  alarm_actions     = [aws_sns_topic.alarms[local.file.composites["ingestor-deaf"].severity].arn]
  ok_actions        = [aws_sns_topic.alarms[local.file.composites["ingestor-deaf"].severity].arn]

  actions_suppressor {
    alarm            = aws_cloudwatch_composite_alarm.region_deaf[each.key].alarm_name
    wait_period      = local.file.composites["ingestor-deaf"].wait
    extension_period = local.file.composites["ingestor-deaf"].wait
  }
}

# Reports to some address of a region are taken and do not arrive: its replicator stands
# still, for example. Nothing else says so until a thousand bundles wait.
resource "aws_cloudwatch_composite_alarm" "region_not_applied" {
  for_each = local.endpoints_by_region

  alarm_name        = "${var.name}-region-not-applied-${each.key}"
  alarm_description = "${each.key}: ${local.file.composites["region-not-applied"].description} ${local.file.composites["region-not-applied"].runbook}"
  alarm_rule        = join(" OR ", [for endpoint in each.value : "ALARM(\"${local.not_applied[endpoint]}\")"])
  alarm_actions     = [aws_sns_topic.alarms[local.file.composites["region-not-applied"].severity].arn]
  ok_actions        = [aws_sns_topic.alarms[local.file.composites["region-not-applied"].severity].arn]

  actions_suppressor {
    alarm            = aws_cloudwatch_composite_alarm.nothing_applied.alarm_name
    wait_period      = local.file.composites["region-not-applied"].wait
    extension_period = local.file.composites["region-not-applied"].wait
  }
}

# No address is known to work end to end, and one at least is known not to. The alarms of
# deaf addresses have no data and do not count.
resource "aws_cloudwatch_composite_alarm" "nothing_applied" {
  alarm_name        = "${var.name}-nothing-applied"
  alarm_description = "${local.file.composites["nothing-applied"].description} ${local.file.composites["nothing-applied"].runbook}"
  alarm_rule = format("(%s) AND NOT (%s)",
    join(" OR ", [for alarm in values(local.not_applied) : "ALARM(\"${alarm}\")"]),
    join(" OR ", [for alarm in values(local.not_applied) : "OK(\"${alarm}\")"]),
  )
  alarm_actions = [aws_sns_topic.alarms[local.file.composites["nothing-applied"].severity].arn]
  ok_actions    = [aws_sns_topic.alarms[local.file.composites["nothing-applied"].severity].arn]
}
