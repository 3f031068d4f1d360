mock_provider "aws" {
  source = "../../tests/mock"
}

variables {
  name               = "millrace"
  region             = "eu-central-1"
  kms_key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  runbook_url        = "https://docs.example/runbook"
  emails             = ["ops@example.com"]
  kafka_cluster_name = "events"
  brokers_with_disks = 3
  ecs_cluster_name   = "millrace"
  functions = {
    api         = { name = "millrace-api", timeout_seconds = 20 }
    log-compact = { name = "millrace-log-compact", timeout_seconds = 900, call_seconds = 3600 }
  }
  api        = { id = "mock" }
  database   = { cluster_id = "millrace" }
  lag_limits = { notifier = 500 }

  services = {
    notifier = { min = 2, max = 6, groups = { "millrace-notifier" = ["notifications", "payments"] }, log_group_name = "/millrace/millrace/notifier" }
    edge     = { min = 2, max = 4, groups = {}, log_group_name = "/millrace/millrace/edge" }
  }
}

run "a_search_domain" {
  variables {
    search = { domain_name = "millrace", account_id = "123456789012", storage_mib = 102400 }
  }

  assert {
    condition = alltrue([
      for name in ["search-red", "search-storage", "search-writes-blocked"] :
      one(one(aws_cloudwatch_metric_alarm.this[name].metric_query).metric).dimensions == tomap({ DomainName = "millrace", ClientId = "123456789012" })
    ])
    error_message = "The domain's metrics have its name and its account."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["search-storage"].threshold == 25600 && aws_cloudwatch_metric_alarm.this["search-storage"].comparison_operator == "LessThanThreshold"
    error_message = "A quarter of a node's disk is left."
  }
}

run "alarms" {
  assert {
    condition = {
      for name in ["api", "log-compact"] : name => [
        aws_cloudwatch_metric_alarm.this["${name}-function-errors"].evaluation_periods,
        one(one(aws_cloudwatch_metric_alarm.this["${name}-function-errors"].metric_query).metric).period,
      ]
    } == { api = [5, 60], log-compact = [3, 3600] }
    error_message = "A function that is called each hour fails in three of them."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset([aws_sns_topic.alarms.arn]) && alarm.ok_actions == toset([aws_sns_topic.alarms.arn])])
    error_message = "Every alarm says when it begins and when it ends."
  }

  assert {
    condition     = alltrue([for name, alarm in aws_cloudwatch_metric_alarm.this : endswith(alarm.alarm_description, "https://docs.example/runbook#${output.alarm_kinds[name]}")])
    error_message = "Every alarm has the address of its runbook entry."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["notifier-lag"].threshold == 500 && aws_cloudwatch_metric_alarm.this["notifier-no-heartbeat"].threshold == 2
    error_message = "Limits are the service's."
  }

  # What is not reported is not well.
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["notifier-no-heartbeat"].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.this["notifier-lag-unknown"].treat_missing_data == "breaching"
    error_message = "A missing heart-beat and a missing lag raise an alarm."
  }

  assert {
    condition     = one([for query in aws_cloudwatch_metric_alarm.this["notifier-cannot-catch-up"].metric_query : query.expression if query.return_data]) == "IF(tasks>=6 AND (m0+m1)>50 AND DIFF(m0+m1)>=0,1,0)"
    error_message = "As many tasks as there may be, and a lag that does not fall."
  }

  assert {
    condition     = length([for name in keys(aws_cloudwatch_metric_alarm.this) : name if startswith(name, "kafka-disk-")]) == 3
    error_message = "Each broker's disk is watched."
  }

  assert {
    condition     = !contains(keys(aws_cloudwatch_metric_alarm.this), "edge-lag")
    error_message = "What reads nothing has no lag."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["api-function-duration"].threshold == 10000
    error_message = "Half of the time-out, in milliseconds."
  }

  # One query of each alarm gives the value: CloudWatch refuses none, and more than one.
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : length([for query in alarm.metric_query : query if query.return_data]) == 1])
    error_message = "Each alarm has one value."
  }
}

run "topic" {
  assert {
    condition     = aws_sns_topic.alarms.kms_master_key_id == var.kms_key_arn && keys(aws_sns_topic_subscription.email) == ["ops@example.com"]
    error_message = "The topic is encrypted, and mails go to the addresses."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_sns_topic_policy.alarms.policy).Statement :
      "${statement.Principal.Service} ${statement.Condition.StringEquals["aws:SourceAccount"]}" if statement.Effect == "Allow"
    ] == ["cloudwatch.amazonaws.com 123456789012"]
    error_message = "Alarms of this account may be published."
  }
}

run "dashboard" {
  assert {
    condition     = toset([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.title]) == toset(["Alarms", "Requests and failures a minute", "Latency, 99th percentile (ms)", "Lag (records)", "Tasks", "Dead letters a minute", "Functions: environments at once, errors, throttles", "Database: capacity used (%), connections"])
    error_message = "The dashboard shows what there is."
  }

  assert {
    condition     = length(one([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.metrics if widget.properties.title == "Lag (records)"])) == 2
    error_message = "Each topic of each group is a line."
  }
}
