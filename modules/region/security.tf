# One port, from everywhere. A flow is not tracked, so that no number of devices fills a
# connection table, only while UDP comes from everywhere *and* everything may leave to
# everywhere (Amazon EC2 User Guide, "Security group connection tracking"): a narrower
# rule on either side would bring the table back.
#
# ICMP needs no rule. Replies fit in 1280 bytes; "fragmentation needed" for the TCP
# connections to AWS belongs to tracked flows, and is let in with them.
resource "aws_security_group" "ingestor" {
  name_prefix = "${var.name}-ingestor-"
  description = "CoAP in from everywhere, everything out: untracked"
  vpc_id      = local.vpc_id

  tags = { Name = "${var.name}-ingestor" }

  # An interface that is still in the group keeps it from being deleted.
  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = length(distinct([for subnet in data.aws_subnet.given : subnet.vpc_id])) <= 1
      error_message = "subnet_ids are subnets of one network."
    }
  }
}

locals {
  everywhere = {
    ipv4 = { cidr_ipv4 = "0.0.0.0/0", cidr_ipv6 = null }
    ipv6 = { cidr_ipv4 = null, cidr_ipv6 = "::/0" }
  }
}

resource "aws_vpc_security_group_ingress_rule" "coap" {
  for_each = local.everywhere

  security_group_id = aws_security_group.ingestor.id
  description       = "CoAP from everywhere"
  ip_protocol       = "udp"
  from_port         = 5683
  to_port           = 5683
  cidr_ipv4         = each.value.cidr_ipv4
  cidr_ipv6         = each.value.cidr_ipv6
}

resource "aws_vpc_security_group_egress_rule" "all" {
  for_each = local.everywhere

  security_group_id = aws_security_group.ingestor.id
  description       = "Everything: narrower would be tracked"
  ip_protocol       = "-1"
  cidr_ipv4         = each.value.cidr_ipv4
  cidr_ipv6         = each.value.cidr_ipv6
}
