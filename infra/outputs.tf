output "url" {
  description = "Where the edge is called. Null without one."
  value       = var.edge == "api_gateway" ? module.api[0].url : var.edge == "load_balancer" ? module.balancer[0].url : null
}

output "bootstrap_servers" {
  description = "Kafka's brokers, for clients in the VPC."
  value       = local.kafka.bootstrap_servers
}

output "kafka_cluster_arn" {
  description = "The MSK cluster. Null for another Kafka."
  value       = local.kafka.cluster_arn
}

output "image_repositories" {
  description = "Where each program's image is pushed to."
  value       = local.image_repositories
}

output "topics" {
  description = "What the last apply did to the topics."
  value       = one([for invocation in aws_lambda_invocation.topics : jsondecode(invocation.result)])
}

output "bucket" {
  description = "The bucket of insights and the lake."
  value       = aws_s3_bucket.data.bucket
}

output "database_url" {
  description = "The database, without its password."
  value       = local.database.url
}

output "database_secret_arn" {
  description = "The secret with the database's password. Null where it needs none."
  value       = local.database.secret_arn
}

output "athena" {
  description = "Where the lake is queried: the workgroup and the database. Null without the lake's stages."
  value       = one([for tables in module.tables : { workgroup = tables.workgroup, database = tables.database }])
}

output "backfill" {
  description = "The state machine that cleans months of raw objects, for `millrace lake backfill --state-machine`. Null without the lake's stages."
  value       = one(module.backfill[*].state_machine_arn)
}

output "quicksight_dashboard" {
  description = "The dashboard's id in QuickSight. Null without one."
  value       = one(module.quicksight[*].dashboard_id)
}

output "search_url" {
  description = "The search domain, in the VPC. Null without one."
  value       = one(module.search[*].url)
}

output "alarm_topic_arn" {
  description = "The topic of all alarms: subscribe a pager to it."
  value       = module.alerts.topic_arn
}

output "alarm_kinds" {
  description = "The runbook's entry of each alarm, by the alarm's name."
  value       = module.alerts.alarm_kinds
}

output "routes" {
  description = "The API's routes. Null without API Gateway."
  value       = var.edge == "api_gateway" ? module.api[0].routes : null
}

output "operator_command" {
  description = "Runs a command of `millrace` in the cluster; its output is in the log group /millrace/NAME/operator."
  value = join(" ", [
    "aws ecs run-task --region ${var.region} --cluster ${module.consumers.cluster_name} --task-definition ${var.name}-operator",
    "--overrides '${jsonencode({ containerOverrides = [{ name = "operator", command = ["topology"] }] })}'",
  ])
}
