output "url" {
  description = "Where the edge is called."
  value       = module.millrace.url
}

output "image_repositories" {
  description = "Where each program's image is pushed to."
  value       = module.millrace.image_repositories
}

output "topics" {
  description = "What the last apply did to the topics."
  value       = module.millrace.topics
}

output "kafka_cluster_arn" {
  description = "The MSK cluster."
  value       = module.millrace.kafka_cluster_arn
}

output "operator_command" {
  description = "Runs a command of `millrace` in the cluster."
  value       = module.millrace.operator_command
}

output "bucket" {
  description = "The bucket of insights and the lake."
  value       = module.millrace.bucket
}

output "athena" {
  description = "Where the lake is queried: the workgroup and the database."
  value       = module.millrace.athena
}

output "backfill" {
  description = "The state machine that cleans months of raw objects, for `millrace lake backfill --state-machine`."
  value       = module.millrace.backfill
}

output "quicksight_dashboard" {
  description = "The dashboard's id in QuickSight. Null without one."
  value       = module.millrace.quicksight_dashboard
}

output "search_url" {
  description = "The search domain, in the VPC. Null without one."
  value       = module.millrace.search_url
}
