# A network of our own, unless subnets are given: public subnets, because a device
# reaches an instance by its Elastic IP, and a NAT gateway or a VPC endpoint would cost
# more than the instances.

locals {
  own_network = toset(length(var.subnet_ids) == 0 ? ["own"] : [])
  own_subnets = { for index, zone in var.zones : zone => index }

  subnet_ids = length(var.subnet_ids) > 0 ? var.subnet_ids : [for zone in var.zones : aws_subnet.public[zone].id]
  vpc_id     = length(var.subnet_ids) > 0 ? data.aws_subnet.given[0].vpc_id : aws_vpc.network["own"].id
}

data "aws_subnet" "given" {
  for_each = { for index, id in var.subnet_ids : index => id }

  id = each.value
}

resource "aws_vpc" "network" {
  for_each = local.own_network

  cidr_block                       = var.cidr_block
  assign_generated_ipv6_cidr_block = true
  enable_dns_support               = true
  enable_dns_hostnames             = true

  tags = { Name = var.name }
}

# The group that a careless launch would get allows nothing.
resource "aws_default_security_group" "unused" {
  for_each = local.own_network

  vpc_id = aws_vpc.network[each.key].id

  tags = { Name = "${var.name}-unused" }
}

resource "aws_internet_gateway" "network" {
  for_each = local.own_network

  vpc_id = aws_vpc.network[each.key].id

  tags = { Name = var.name }
}

# No public address at launch: an instance has none until it has its Elastic IP, and its
# first download waits for that.
resource "aws_subnet" "public" {
  for_each = local.own_subnets

  vpc_id                          = aws_vpc.network["own"].id
  availability_zone_id            = each.key
  cidr_block                      = cidrsubnet(var.cidr_block, 2, each.value)
  ipv6_cidr_block                 = cidrsubnet(aws_vpc.network["own"].ipv6_cidr_block, 8, each.value)
  assign_ipv6_address_on_creation = true

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_route_table" "public" {
  for_each = local.own_network

  vpc_id = aws_vpc.network[each.key].id

  tags = { Name = "${var.name}-public" }
}

resource "aws_route" "ipv4" {
  for_each = local.own_network

  route_table_id         = aws_route_table.public[each.key].id
  gateway_id             = aws_internet_gateway.network[each.key].id
  destination_cidr_block = "0.0.0.0/0"
}

resource "aws_route" "ipv6" {
  for_each = local.own_network

  route_table_id              = aws_route_table.public[each.key].id
  gateway_id                  = aws_internet_gateway.network[each.key].id
  destination_ipv6_cidr_block = "::/0"
}

resource "aws_route_table_association" "public" {
  for_each = local.own_subnets

  route_table_id = aws_route_table.public["own"].id
  subnet_id      = aws_subnet.public[each.key].id
}
