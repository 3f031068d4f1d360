# Services scale on the lag of their consumer groups, as MSK publishes it; those without a group on processor load.

locals {
  lagging = { for name, service in local.running : name => service if service.scaling != null && var.kafka_cluster_name != null }

  # More tasks than partitions would own none.
  max_tasks = {
    for name, service in var.services : name => service.scaling == null ? service.max : max(service.min, min(service.max, service.scaling.partitions))
  }

  lag_metrics = {
    for name, service in local.lagging : name => flatten([
      for group in sort(keys(service.scaling.groups)) : [
        for topic in sort(service.scaling.groups[group]) : { group = group, topic = topic }
      ]
    ])
  }

  # m0, m1, …: the lag of each topic in each group, over all partitions. x0, x1, …: that of the partition with most.
  lag_queries = {
    for name, metrics in local.lag_metrics : name => merge(
      { for index, metric in metrics : "m${index}" => merge(metric, { metric = "SumOffsetLag" }) },
      { for index, metric in metrics : "x${index}" => merge(metric, { metric = "MaxOffsetLag" }) },
    )
  }

  lag_expression = {
    for name, metrics in local.lag_metrics : name => join("+", [for index, _ in metrics : "m${index}"])
  }

  # The sum divided by the largest: so many partitions at least lag. More tasks than that help none of them, be it
  # because one key's records wait for each other or because one partition has them all.
  parallelism_expression = {
    for name, metrics in local.lag_metrics : name => join("+", [for index, _ in metrics : "m${index}/IF(x${index}>0,x${index},1)"])
  }

  # Where more tasks would not help, the target itself: neither out nor in. A metric that is missing makes the whole
  # expression missing, and then target tracking does nothing: there is no FILL here on purpose.
  scaling_expression = {
    for name, service in local.lagging : name => join("", [
      "IF(tasks>=(${local.parallelism_expression[name]}) AND (${local.lag_expression[name]})/tasks>${service.scaling.lag_per_task},",
      "${service.scaling.lag_per_task},(${local.lag_expression[name]})/tasks)",
    ])
  }
}

# Also of services that nothing scales: it keeps them at `min`, whatever that becomes.
resource "aws_appautoscaling_target" "this" {
  for_each = local.running

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.this[each.key].name}"
  min_capacity       = each.value.min
  max_capacity       = local.max_tasks[each.key]
}

resource "aws_appautoscaling_policy" "lag" {
  for_each = local.lagging

  name               = "lag"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[each.key].resource_id

  target_tracking_scaling_policy_configuration {
    target_value = each.value.scaling.lag_per_task
    # A task more is a rebalance: the lag falls only after it. A task less is one too, for nothing.
    scale_out_cooldown = 180
    scale_in_cooldown  = 900

    customized_metric_specification {
      dynamic "metrics" {
        for_each = local.lag_queries[each.key]
        content {
          id          = metrics.key
          return_data = false

          metric_stat {
            stat = "Average"
            metric {
              namespace   = "AWS/Kafka"
              metric_name = metrics.value.metric
              dimensions {
                name  = "Cluster Name"
                value = var.kafka_cluster_name
              }
              dimensions {
                name  = "Consumer Group"
                value = metrics.value.group
              }
              dimensions {
                name  = "Topic"
                value = metrics.value.topic
              }
            }
          }
        }
      }

      # Each task reports its processor load once a minute: as many samples as tasks, without Container Insights.
      metrics {
        id          = "tasks"
        return_data = false

        metric_stat {
          stat = "SampleCount"
          metric {
            namespace   = "AWS/ECS"
            metric_name = "CPUUtilization"
            dimensions {
              name  = "ClusterName"
              value = aws_ecs_cluster.this.name
            }
            dimensions {
              name  = "ServiceName"
              value = aws_ecs_service.this[each.key].name
            }
          }
        }
      }

      metrics {
        id          = "lag_per_task"
        label       = "Lag a task, where more tasks would help"
        expression  = local.scaling_expression[each.key]
        return_data = true
      }
    }
  }
}

resource "aws_appautoscaling_policy" "processor" {
  for_each = { for name, service in local.running : name => service if service.scaling == null }

  name               = "processor"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[each.key].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[each.key].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[each.key].resource_id

  target_tracking_scaling_policy_configuration {
    # Per cent of what the tasks have reserved.
    target_value       = 60
    scale_out_cooldown = 60
    scale_in_cooldown  = 300

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}
