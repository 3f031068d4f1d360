output "url" {
  description = "DATABASE_URL without the password, which is in the secret."
  value       = "postgres://${local.user}@${aws_rds_cluster.this.endpoint}:${local.port}/${local.name}?sslmode=require"
}

output "secret_arn" {
  description = "The secret: JSON with username and password."
  value       = aws_rds_cluster.this.master_user_secret[0].secret_arn
}

output "cluster_id" {
  description = "The cluster: the dimension `DBClusterIdentifier` of its metrics."
  value       = aws_rds_cluster.this.cluster_identifier
}
