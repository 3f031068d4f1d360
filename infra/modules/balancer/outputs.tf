output "target_group_arn" {
  description = "The target group that the edge's service registers its tasks with."
  value       = aws_lb_target_group.edge.arn

  # A service is refused a target group without a listener.
  depends_on = [aws_lb_listener.https]
}

output "url" {
  description = "Where it is called, until a name of its certificate points to it."
  value       = "https://${aws_lb.this.dns_name}"
}

output "arn" {
  description = "The load balancer."
  value       = aws_lb.this.arn
}

output "arn_suffix" {
  description = "The dimension `LoadBalancer` of its metrics."
  value       = aws_lb.this.arn_suffix
}
