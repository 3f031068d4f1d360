output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "The private subnets, one a zone, in the zones' order."
  value       = [for number in ["0", "1", "2"] : aws_subnet.private[number].id]
}

output "public_subnet_ids" {
  description = "The public subnets, one a zone; empty where there are none."
  value       = [for subnet in aws_subnet.public : subnet.id]

  # Nothing in a public subnet is reached, or reaches anything, before its route exists.
  depends_on = [aws_route.internet, aws_route_table_association.public]
}
