# One page: what comes in, how far each consumer is behind, what fails.

locals {
  charts = [
    {
      applies = var.api != null
      title   = "Requests and failures a minute"
      stat    = "Sum"
      metrics = [for metric in ["Count", "4xx", "5xx"] : ["AWS/ApiGateway", metric, "ApiId", try(var.api.id, null)]]
    },
    {
      applies = var.api != null
      title   = "Latency, 99th percentile (ms)"
      stat    = "p99"
      metrics = [for metric in ["Latency", "IntegrationLatency"] : ["AWS/ApiGateway", metric, "ApiId", try(var.api.id, null)]]
    },
    {
      applies = var.load_balancer != null
      title   = "Requests and failures a minute"
      stat    = "Sum"
      metrics = [for metric in ["RequestCount", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count"] : ["AWS/ApplicationELB", metric, "LoadBalancer", try(var.load_balancer.arn_suffix, null)]]
    },
    {
      applies = length(local.services_with_lag) > 0
      title   = "Lag (records)"
      stat    = "Average"
      metrics = concat([], [
        for pairs in values(local.services_with_lag) : [
          for pair in pairs : ["AWS/Kafka", "SumOffsetLag", "Cluster Name", var.kafka_cluster_name, "Consumer Group", pair.group, "Topic", pair.topic]
        ]
      ]...)
    },
    {
      applies = length(var.services) > 0
      title   = "Tasks"
      stat    = "SampleCount"
      metrics = [for name in sort(keys(var.services)) : ["AWS/ECS", "CPUUtilization", "ClusterName", var.ecs_cluster_name, "ServiceName", name]]
    },
    {
      applies = length(var.services) > 0
      title   = "Dead letters a minute"
      stat    = "Sum"
      metrics = [for name in sort(keys(var.services)) : [local.namespace, "${name}-dead-letters"]]
    },
    {
      applies = length(var.functions) > 0
      title   = "Functions: environments at once, errors, throttles"
      stat    = "Maximum"
      metrics = concat([], [
        for function in values(var.functions) : [
          for metric in ["ConcurrentExecutions", "Errors", "Throttles"] : ["AWS/Lambda", metric, "FunctionName", function.name]
        ]
      ]...)
    },
    {
      applies = var.delivery_stream != null
      title   = "Raw logs: put into Firehose, throttled, in the bucket (records a minute)"
      stat    = "Sum"
      metrics = [for metric in ["IncomingRecords", "ThrottledRecords", "DeliveryToS3.Records"] : ["AWS/Firehose", metric, "DeliveryStreamName", var.delivery_stream]]
    },
    {
      applies = var.database != null
      title   = "Database: capacity used (%), connections"
      stat    = "Average"
      metrics = [for metric in ["ACUUtilization", "DatabaseConnections"] : ["AWS/RDS", metric, "DBClusterIdentifier", try(var.database.cluster_id, null)]]
    },
  ]

  widgets = [for chart in local.charts : chart if chart.applies]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = concat(
      [{
        type       = "alarm"
        x          = 0
        y          = 0
        width      = 24
        height     = 4
        properties = { title = "Alarms", alarms = [for alarm in aws_cloudwatch_metric_alarm.this : alarm.arn] }
      }],
      [
        for index, widget in local.widgets : {
          type   = "metric"
          x      = 12 * (index % 2)
          y      = 4 + 6 * floor(index / 2)
          width  = 12
          height = 6
          properties = {
            title   = widget.title
            region  = var.region
            stat    = widget.stat
            period  = 60
            view    = "timeSeries"
            metrics = widget.metrics
          }
        }
      ],
    )
  })
}
