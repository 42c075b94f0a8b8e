output "templates" {
  description = "Identifiers of the experiment templates: aws fis start-experiment --experiment-template-id takes one."
  value = {
    stop-instances = aws_fis_experiment_template.stop_instances.id
    deny-queue     = aws_fis_experiment_template.deny_queue.id
  }
}
