output "cluster_arn" {
  description = "The cluster."
  value       = local.is_serverless ? aws_msk_serverless_cluster.this[0].arn : aws_msk_cluster.this[0].arn
}

output "cluster_name" {
  description = "The cluster's name: the dimension `Cluster Name` of its metrics."
  value       = var.name
}

output "bootstrap_servers" {
  description = "The brokers' addresses for clients with IAM, HOST:PORT separated by commas."
  value       = local.is_serverless ? aws_msk_serverless_cluster.this[0].bootstrap_brokers_sasl_iam : aws_msk_cluster.this[0].bootstrap_brokers_sasl_iam
}

output "security_group_id" {
  description = "The brokers' security group."
  value       = aws_security_group.brokers.id
}
