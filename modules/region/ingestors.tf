# The instances. One that runs is never stopped or replaced because of a newer image, a
# newer build or another setting: those wait until it is replaced on purpose,
#
#   terraform apply -replace='module.region.aws_instance.ingestor["a"]'
#
# which takes all that is new. live/rollout does that for one after the other, and waits
# in between until the canary is answered.

data "aws_ssm_parameter" "image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
}

resource "aws_instance" "ingestor" {
  for_each = var.ingestors

  ami                    = coalesce(each.value.image_id, nonsensitive(data.aws_ssm_parameter.image.value))
  instance_type          = var.instance_type
  subnet_id              = local.subnet_ids[each.value.zone_index]
  vpc_security_group_ids = [aws_security_group.ingestor.id]
  iam_instance_profile   = aws_iam_instance_profile.ingestor.name
  user_data              = local.user_data[each.key]

  # Unlimited credits would let a flood run up a bill.
  credit_specification {
    cpu_credits = "standard"
  }

  # The image has all that uses the metadata service speak version 2; nothing runs in a
  # container, so one hop will do.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "disabled"
  }

  root_block_device {
    encrypted   = true
    volume_type = "gp3"
    volume_size = 8 # GiB, as the image has
  }

  maintenance_options {
    auto_recovery = "default"
  }

  tags = {
    Name    = local.ingestor_names[each.key]
    Service = "coap-ingestor"
  }

  lifecycle {
    create_before_destroy = true
    ignore_changes        = [ami, instance_type, user_data]
  }

  # It may do what it does as soon as it runs, and there is something to fetch.
  depends_on = [
    aws_cloudwatch_log_group.ingestor,
    aws_iam_role_policy.ingestor,
    aws_route.ipv4,
    aws_route_table_association.public,
    aws_s3_object.ingestor,
    aws_sqs_queue.reports,
    aws_vpc_security_group_egress_rule.all,
  ]
}

# The provider keeps a hash of user data up to version 5, the text since version 6.
check "rolled_out" {
  assert {
    condition = alltrue([for key, i in aws_instance.ingestor :
    contains([local.user_data[key], sha1(local.user_data[key])], i.user_data)])
    error_message = "Some ingestors run an older build or older settings: roll them out one by one with live/rollout."
  }
}
