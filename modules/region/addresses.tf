# The addresses that firmware holds. Nothing but the end of the region's state deletes them:
# they depend on nothing that is ever replaced.
resource "aws_eip" "ingestor" {
  for_each = local.ingestor_names

  domain = "vpc"

  tags = { Name = each.value }

  # Moving it needs a way out of the network.
  depends_on = [aws_internet_gateway.network]
}

# A new instance takes the address over from the one that still runs, in one step, after
# its launch: nothing moves if that fails. The old association is gone by then, so that
# the destroy after the create finds nothing to do.
resource "aws_eip_association" "ingestor" {
  for_each = aws_eip.ingestor

  allocation_id       = each.value.id
  instance_id         = aws_instance.ingestor[each.key].id
  allow_reassociation = true

  lifecycle {
    create_before_destroy = true
  }
}
