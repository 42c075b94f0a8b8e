locals {
  file = jsondecode(file("${path.module}/../alarms.json"))

  # One alarm for each kind and each thing of that kind: backlog-reports, deaf-use1-a.
  alarms = merge([
    for key, alarm in local.file.alarms : {
      for target, dimensions in local.targets[alarm.of] : "${key}-${target}" => merge(alarm, {
        target     = target
        dimensions = dimensions
        metric     = try(alarm.metric, null)
        expression = try(alarm.expression, null)
        terms      = try(alarm.terms, {})
        # A composite speaks for those of severity composite.
        topics = [for topic in [alarm.severity] : aws_sns_topic.alarms[topic].arn if topic != "composite"]
        repair = [for action in compact([try(alarm.action, null)]) : "arn:${local.partition}:automate:${local.region}:ec2:${action}"]
      })
    }
  ]...)
}

resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.target}: ${each.value.description} ${each.value.runbook}"
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  evaluation_periods  = each.value.evaluation_periods
  datapoints_to_alarm = each.value.datapoints
  treat_missing_data  = each.value.treat_missing
  alarm_actions       = concat(each.value.repair, each.value.topics)
  ok_actions          = each.value.topics

  # One metric: actions of EC2 need an alarm of this form.
  namespace   = each.value.metric == null ? null : each.value.namespace
  metric_name = each.value.metric
  dimensions  = each.value.metric == null ? null : each.value.dimensions
  statistic   = each.value.metric == null ? null : each.value.statistic
  period      = each.value.metric == null ? null : each.value.period

  # Several metrics and an expression of them.
  dynamic "metric_query" {
    for_each = each.value.terms

    content {
      id = metric_query.key

      metric {
        namespace   = each.value.namespace
        metric_name = metric_query.value
        dimensions  = each.value.dimensions
        stat        = each.value.statistic
        period      = each.value.period
      }
    }
  }

  dynamic "metric_query" {
    for_each = each.value.expression == null ? {} : { value = each.value.expression }

    content {
      id          = metric_query.key
      expression  = metric_query.value
      label       = each.key
      return_data = true
    }
  }

  # CloudWatch deletes no alarm that a composite names: with this a composite is changed
  # first, and then the alarm of an address that is gone is deleted.
  lifecycle {
    create_before_destroy = true
  }
}
