# Every alarm: its kind (an entry of the runbook), its metrics and when they are wrong.

locals {
  namespace = "Millrace/${var.name}"

  # What an alarm has where it says nothing else.
  defaults = {
    comparison     = "GreaterThanThreshold"
    threshold      = 0
    periods        = 5
    period_seconds = 60
    missing        = "notBreaching"
    expression     = null
  }

  lag_pairs = {
    for name, service in var.services : name => flatten([
      for group in sort(keys(service.groups)) : [
        for topic in sort(service.groups[group]) : { group = group, topic = topic }
      ]
    ])
  }

  lag_metrics = {
    for name, pairs in local.lag_pairs : name => {
      for index, pair in pairs : "m${index}" => {
        namespace  = "AWS/Kafka"
        name       = "SumOffsetLag"
        stat       = "Average"
        dimensions = { "Cluster Name" = var.kafka_cluster_name, "Consumer Group" = pair.group, "Topic" = pair.topic }
      }
    }
  }

  # Each running task reports its processor load once a minute.
  task_metrics = {
    for name, service in var.services : name => {
      tasks = {
        namespace  = "AWS/ECS"
        name       = "CPUUtilization"
        stat       = "SampleCount"
        dimensions = { ClusterName = var.ecs_cluster_name, ServiceName = name }
      }
    }
  }

  services_with_lag = var.kafka_cluster_name == null ? {} : { for name, pairs in local.lag_pairs : name => pairs if length(pairs) > 0 }

  lag_sums = { for name, metrics in local.lag_metrics : name => join("+", sort(keys(metrics))) }

  of_services = merge(
    {
      for name, service in var.services : "${name}-no-heartbeat" => {
        kind       = "no-heartbeat"
        summary    = "Fewer tasks of ${name} run than its least number."
        metrics    = local.task_metrics[name]
        comparison = "LessThanThreshold"
        threshold  = service.min
        periods    = 10
        missing    = "breaching"
      }
    },
    {
      for name, service in var.services : "${name}-dead-letters" => {
        kind    = "dead-letters"
        summary = "${name} has refused records for good: they are on dead-letter topics."
        metrics = {
          letters = { namespace = local.namespace, name = "${name}-dead-letters", stat = "Sum", dimensions = {} }
        }
        periods        = 1
        period_seconds = 300
      }
    },
    {
      for name, pairs in local.services_with_lag : "${name}-lag" => {
        kind       = "lag"
        summary    = "${name} is behind."
        metrics    = local.lag_metrics[name]
        expression = local.lag_sums[name]
        threshold  = lookup(var.lag_limits, name, var.lag_limit)
        periods    = 15
      }
    },
    {
      # Scaling does nothing without these metrics, and says nothing.
      for name, pairs in local.services_with_lag : "${name}-lag-unknown" => {
        kind       = "lag-unknown"
        summary    = "MSK does not say how far ${name} is behind: it is not scaled."
        metrics    = local.lag_metrics[name]
        expression = local.lag_sums[name]
        comparison = "LessThanThreshold"
        periods    = 15
        missing    = "breaching"
      }
    },
    {
      # As many tasks as there may be, and behind by as much or more than a minute ago.
      for name, pairs in local.services_with_lag : "${name}-cannot-catch-up" => {
        kind       = "cannot-catch-up"
        summary    = "${name} runs with as many tasks as it may, and its lag does not fall."
        metrics    = merge(local.lag_metrics[name], local.task_metrics[name])
        expression = "IF(tasks>=${var.services[name].max} AND (${local.lag_sums[name]})>${lookup(var.lag_limits, name, var.lag_limit) / 10} AND DIFF(${local.lag_sums[name]})>=0,1,0)"
        periods    = 15
      }
    },
  )

  of_functions = merge([
    for key, function in var.functions : {
      "${key}-function-errors" = {
        kind    = "function-errors"
        summary = "The function ${function.name} fails."
        metrics = {
          errors = { namespace = "AWS/Lambda", name = "Errors", stat = "Sum", dimensions = { FunctionName = function.name } }
        }
        # One that is called each hour fails once in it.
        periods        = function.call_seconds < 3600 ? 5 : 3
        period_seconds = max(60, function.call_seconds)
      }
      "${key}-function-throttles" = {
        kind    = "function-throttles"
        summary = "Calls of the function ${function.name} are refused: too many at once."
        metrics = {
          throttles = { namespace = "AWS/Lambda", name = "Throttles", stat = "Sum", dimensions = { FunctionName = function.name } }
        }
      }
      "${key}-function-duration" = {
        kind    = "function-duration"
        summary = "The function ${function.name} takes more than half of its time-out for one call in a hundred."
        metrics = {
          duration = { namespace = "AWS/Lambda", name = "Duration", stat = "p99", dimensions = { FunctionName = function.name } }
        }
        # Milliseconds.
        threshold = function.timeout_seconds * 500
      }
    }
  ]...)

  of_api = { for alarm_name, alarm in {
    "api-5xx" = {
      kind    = "api-5xx"
      summary = "The API answers more than 1 % of its calls with 5xx."
      metrics = {
        failed = { namespace = "AWS/ApiGateway", name = "5xx", stat = "Sum", dimensions = { ApiId = try(var.api.id, null) } }
        all    = { namespace = "AWS/ApiGateway", name = "Count", stat = "Sum", dimensions = { ApiId = try(var.api.id, null) } }
      }
      expression = "100*failed/all"
      threshold  = 1
    }
  } : alarm_name => alarm if var.api != null }

  of_load_balancer = { for alarm_name, alarm in {
    "api-5xx" = {
      kind    = "api-5xx"
      summary = "The API answers more than 1 % of its calls with 5xx."
      metrics = {
        failed   = { namespace = "AWS/ApplicationELB", name = "HTTPCode_Target_5XX_Count", stat = "Sum", dimensions = { LoadBalancer = try(var.load_balancer.arn_suffix, null) } }
        balancer = { namespace = "AWS/ApplicationELB", name = "HTTPCode_ELB_5XX_Count", stat = "Sum", dimensions = { LoadBalancer = try(var.load_balancer.arn_suffix, null) } }
        all      = { namespace = "AWS/ApplicationELB", name = "RequestCount", stat = "Sum", dimensions = { LoadBalancer = try(var.load_balancer.arn_suffix, null) } }
      }
      # Both counts are absent, not zero, where there was none.
      expression = "100*(FILL(failed,0)+FILL(balancer,0))/all"
      threshold  = 1
    }
  } : alarm_name => alarm if var.load_balancer != null }

  broker_dimensions = { "Cluster Name" = var.kafka_cluster_name }

  of_brokers = { for alarm_name, alarm in {
    "kafka-offline-partitions" = {
      kind    = "kafka-offline-partitions"
      summary = "Partitions have no leader: nothing can be written to or read from them."
      metrics = {
        partitions = { namespace = "AWS/Kafka", name = "OfflinePartitionsCount", stat = "Maximum", dimensions = local.broker_dimensions }
      }
    }
  } : alarm_name => alarm if var.kafka_cluster_name != null && var.has_broker_metrics }

  of_broker_disks = {
    for broker in range(1, var.brokers_with_disks + 1) : "kafka-disk-${broker}" => {
      kind    = "kafka-disk"
      summary = "The disk of broker ${broker} is fuller than 85 %, although storage grows at 60 %."
      metrics = {
        used = { namespace = "AWS/Kafka", name = "KafkaDataLogsDiskUsed", stat = "Maximum", dimensions = merge(local.broker_dimensions, { "Broker ID" = tostring(broker) }) }
      }
      threshold = 85
    }
  }

  database_dimensions = { DBClusterIdentifier = try(var.database.cluster_id, null) }

  of_database = { for alarm_name, alarm in {
    "database-capacity" = {
      kind    = "database-capacity"
      summary = "The database uses more than 90 % of its largest capacity."
      metrics = {
        used = { namespace = "AWS/RDS", name = "ACUUtilization", stat = "Average", dimensions = local.database_dimensions }
      }
      threshold = 90
      periods   = 15
    }
    "database-deadlocks" = {
      kind    = "database-deadlocks"
      summary = "Transactions of the database block each other."
      metrics = {
        deadlocks = { namespace = "AWS/RDS", name = "Deadlocks", stat = "Sum", dimensions = local.database_dimensions }
      }
    }
  } : alarm_name => alarm if var.database != null }

  search_dimensions = { DomainName = try(var.search.domain_name, null), ClientId = try(var.search.account_id, null) }

  of_search = { for alarm_name, alarm in {
    "search-red" = {
      kind    = "search-red"
      summary = "Indices of the search domain lack a primary copy: their rows are neither found nor written."
      metrics = {
        red = { namespace = "AWS/ES", name = "ClusterStatus.red", stat = "Maximum", dimensions = local.search_dimensions }
      }
    }
    "search-writes-blocked" = {
      kind    = "search-writes-blocked"
      summary = "The search domain takes no documents: log-indexer waits."
      metrics = {
        blocked = { namespace = "AWS/ES", name = "ClusterIndexWritesBlocked", stat = "Maximum", dimensions = local.search_dimensions }
      }
    }
    "search-storage" = {
      kind    = "search-storage"
      summary = "A node of the search domain has less than a quarter of its disk left; below a fifth, or 20 GiB where that is less, it takes no documents."
      metrics = {
        free = { namespace = "AWS/ES", name = "FreeStorageSpace", stat = "Minimum", dimensions = local.search_dimensions }
      }
      comparison = "LessThanThreshold"
      # MiB.
      threshold = floor(try(var.search.storage_mib, 0) / 4)
      periods   = 15
    }
  } : alarm_name => alarm if var.search != null }

  of_delivery = { for alarm_name, alarm in {
    "raw-logs-delayed" = {
      kind    = "raw-logs-delayed"
      summary = "The oldest of the raw logs in Firehose have waited for a quarter of an hour."
      metrics = {
        age = { namespace = "AWS/Firehose", name = "DeliveryToS3.DataFreshness", stat = "Maximum", dimensions = { DeliveryStreamName = var.delivery_stream } }
      }
      # Seconds; a stream gathers for so long at most.
      threshold = 900
    }
    "raw-logs-errors" = {
      kind    = "raw-logs-errors"
      summary = "Firehose reports errors of its delivery of raw logs. What it gives up is under raw-errors/ of the bucket."
      metrics = {
        errors = { namespace = local.namespace, name = "raw-logs-errors", stat = "Sum", dimensions = {} }
      }
      periods        = 1
      period_seconds = 300
    }
  } : alarm_name => alarm if var.delivery_stream != null }

  of_stages = merge([
    for name, stage in var.stages : {
      "${name}-stage-failing" = {
        kind    = "stage-failing"
        summary = "Attempts of the stage ${name} have failed for half an hour."
        metrics = {
          failed = { namespace = local.namespace, name = "${name}-failed-attempts", stat = "Sum", dimensions = {} }
        }
        # Longer than two attempts are apart.
        period_seconds = 300
        periods        = 6
      }
      "${name}-stage-delayed" = {
        kind    = "stage-delayed"
        summary = "Objects have waited for half an hour for the stage ${name}."
        metrics = {
          age = { namespace = "AWS/SQS", name = "ApproximateAgeOfOldestMessage", stat = "Maximum", dimensions = { QueueName = stage.queue } }
        }
        threshold = 1800
      }
      "${name}-stage-dead-letters" = {
        kind    = "stage-dead-letters"
        summary = "The stage ${name} could not take in objects: their messages are in ${stage.dead_letter_queue}."
        metrics = {
          messages = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", stat = "Maximum", dimensions = { QueueName = stage.dead_letter_queue } }
        }
        periods        = 1
        period_seconds = 300
      }
    }
  ]...)

  of_backfill = { for alarm_name, alarm in {
    "backfill-failed" = {
      kind    = "backfill-failed"
      summary = "A backfill of the lake has failed: more of its objects than it tolerates were not cleaned."
      metrics = {
        failed = { namespace = "AWS/States", name = "ExecutionsFailed", stat = "Sum", dimensions = { StateMachineArn = try(var.backfill.state_machine_arn, "") } }
      }
      periods        = 1
      period_seconds = 300
    }
  } : alarm_name => alarm if var.backfill != null }

  alarms = {
    for name, alarm in merge(local.of_services, local.of_delivery, local.of_stages, local.of_backfill, local.of_functions, local.of_api, local.of_load_balancer, local.of_brokers, local.of_broker_disks, local.of_database, local.of_search) :
    name => merge(local.defaults, alarm)
  }
}
