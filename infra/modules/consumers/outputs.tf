output "cluster_name" {
  description = "The ECS cluster."
  value       = aws_ecs_cluster.this.name
}

output "services" {
  description = "The services: fewest and most tasks, consumer groups with their topics, and the log group, by name."
  value = {
    for name, service in local.running : name => {
      min            = service.min
      max            = local.max_tasks[name]
      groups         = service.scaling == null ? {} : service.scaling.groups
      log_group_name = aws_cloudwatch_log_group.service[name].name
    }
  }
}

output "task_role_arns" {
  description = "The role of each service's tasks."
  value       = { for name, role in aws_iam_role.task : name => role.arn }
}

output "security_group_id" {
  description = "The instances' security group."
  value       = aws_security_group.instances.id
}

output "autoscaling_group_name" {
  description = "The Auto Scaling group."
  value       = aws_autoscaling_group.this.name
}
