locals {
  # A widget for each line of dashboard.json that there is something of, three in a row.
  widgets = [for widget in jsondecode(file("${path.module}/dashboard.json")) : widget if length(local.targets[widget.of]) > 0]

  graphs = [for i, widget in local.widgets : {
    type   = "metric"
    x      = 8 * (i % 3)
    y      = 3 + 6 * floor(i / 3)
    width  = 8
    height = 6
    properties = {
      title   = widget.title
      region  = local.region
      view    = "timeSeries"
      stacked = widget.stacked
      stat    = widget.statistic
      period  = 60
      metrics = concat([
        for target, dimensions in local.targets[widget.of] : [
          for metric in widget.metrics : concat(
            [widget.namespace, metric],
            flatten([for name, value in dimensions : [name, value]]),
            [{ label = "${target} ${metric}" }],
          )
        ]
      ]...)
    }
  }]
}

locals {
  # Those that people are told of. A widget shows a hundred at most.
  watched = concat(
    [aws_cloudwatch_composite_alarm.nothing_applied.arn],
    values(aws_cloudwatch_composite_alarm.region_deaf)[*].arn,
    values(aws_cloudwatch_composite_alarm.ingestor_deaf)[*].arn,
    values(aws_cloudwatch_composite_alarm.region_not_applied)[*].arn,
    [for key, alarm in aws_cloudwatch_metric_alarm.alarm : alarm.arn if local.alarms[key].severity != "composite"],
  )
}

# Dashboards are global: the region makes the name unique.
resource "aws_cloudwatch_dashboard" "region" {
  dashboard_name = "${var.name}-${local.region}"
  dashboard_body = jsonencode({
    widgets = concat(
      [{
        type   = "alarm"
        x      = 0
        y      = 0
        width  = 24
        height = 3
        properties = {
          title  = "Alarms"
          alarms = slice(local.watched, 0, min(100, length(local.watched)))
        }
      }],
      local.graphs,
    )
  })
}
