# The daemon itself puts its log and its metrics here, a stream for each ingestor.
resource "aws_cloudwatch_log_group" "ingestor" {
  name              = local.log_group_name
  retention_in_days = var.log_retention_days
}
