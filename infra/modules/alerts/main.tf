# One topic for all alarms. The alarms are data (alarms.tf): a kind is a runbook entry.

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "CloudWatchAlarms"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms.arn
        Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
      },
      {
        Sid       = "OnlyOverTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

locals {
  account_id = split(":", aws_sns_topic.alarms.arn)[4]
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.emails

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.key
}

# A record that is refused for good is one log line of its consumer: this counts them.
resource "aws_cloudwatch_log_metric_filter" "dead_letters" {
  for_each = var.services

  name           = "dead-letters"
  log_group_name = each.value.log_group_name
  pattern        = "{ $.message = \"dead-lettering a record\" }"

  metric_transformation {
    namespace     = local.namespace
    name          = "${each.key}-dead-letters"
    value         = "1"
    default_value = "0"
  }
}

# A message of a stage that comes again is one log line of its function. SQS's own metric of the oldest message leaves out what was
# received three times.
resource "aws_cloudwatch_log_metric_filter" "failed_attempts" {
  for_each = var.stages

  name           = "failed-attempts"
  log_group_name = each.value.log_group_name
  pattern        = "{ $.message = \"a message comes again\" }"

  metric_transformation {
    namespace     = local.namespace
    name          = "${each.key}-failed-attempts"
    value         = "1"
    default_value = "0"
  }
}

# Firehose writes a line for each error of its delivery, and nothing else.
resource "aws_cloudwatch_log_metric_filter" "delivery_errors" {
  count = var.delivery_stream == null ? 0 : 1

  name           = "raw-logs-errors"
  log_group_name = var.delivery_log_group_name
  pattern        = "{ $.errorCode = \"*\" }"

  metric_transformation {
    namespace     = local.namespace
    name          = "raw-logs-errors"
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name        = "${var.name}-${each.key}"
  alarm_description = "${each.value.summary} ${var.runbook_url}#${each.value.kind}"
  alarm_actions     = [aws_sns_topic.alarms.arn]
  ok_actions        = [aws_sns_topic.alarms.arn]

  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.periods
  treat_missing_data  = each.value.missing

  dynamic "metric_query" {
    for_each = each.value.metrics
    content {
      id          = metric_query.key
      return_data = each.value.expression == null

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        dimensions  = metric_query.value.dimensions
        period      = each.value.period_seconds
        stat        = metric_query.value.stat
      }
    }
  }

  dynamic "metric_query" {
    for_each = each.value.expression == null ? [] : [each.value.expression]
    content {
      id          = "value"
      label       = each.key
      expression  = metric_query.value
      return_data = true
    }
  }
}
