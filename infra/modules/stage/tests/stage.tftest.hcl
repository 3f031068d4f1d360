mock_provider "aws" {
  source = "../../tests/mock"
}

variables {
  name            = "millrace-log-clean"
  description     = "Raw log objects, to be cleaned"
  event_pattern   = { source = ["aws.s3"], detail-type = ["Object Created"], detail = { object = { key = [{ prefix = "raw/" }] } } }
  function_arn    = "arn:aws:lambda:eu-central-1:123456789012:function:millrace-log-clean:live"
  role_name       = "millrace-log-clean"
  timeout_seconds = 120
  kms_key_arn     = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  region          = "eu-central-1"
}

run "events" {
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.events.event_pattern) == var.event_pattern
    error_message = "The rule takes events of the pattern."
  }

  assert {
    condition     = aws_sqs_queue.events.visibility_timeout_seconds == 150 && jsondecode(aws_sqs_queue.events.redrive_policy).maxReceiveCount == 960 && aws_sqs_queue.dead_letters.message_retention_seconds == 1209600
    error_message = "A message is not handed out while it is worked on, and is a dead letter after many attempts."
  }

  assert {
    condition     = one(aws_cloudwatch_event_target.events.dead_letter_config).arn == aws_sqs_queue.dead_letters.arn && one(aws_cloudwatch_event_target.events.retry_policy).maximum_retry_attempts == 185
    error_message = "An event that cannot be put into the queue is kept."
  }

  assert {
    condition     = alltrue([for policy in values(aws_sqs_queue_policy.senders) : jsondecode(policy.policy).Statement[0].Condition.ArnEquals["aws:SourceArn"] == aws_cloudwatch_event_rule.events.arn])
    error_message = "EventBridge puts events into the queues for this rule alone."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.events.function_response_types == toset(["ReportBatchItemFailures"]) && one(aws_lambda_event_source_mapping.events.scaling_config).maximum_concurrency == 10
    error_message = "Of a batch, what failed comes again alone; and brokers are not overrun."
  }

  assert {
    condition = aws_lambda_event_source_mapping.events.batch_size == 1 && aws_iam_role_policy.messages.role == "millrace-log-clean" && contains(
      jsondecode(aws_iam_role_policy.messages.policy).Statement[0].Action, "sqs:ReceiveMessage"
    )
    error_message = "The function may take messages, one at a time."
  }
}

run "without_more" {
  assert {
    condition     = length(aws_sns_topic_subscription.notifications) == 0
    error_message = "Nothing else starts it unless that is said."
  }
}

run "a_topic" {
  variables {
    topics = { alarms = "arn:aws:sns:eu-central-1:123456789012:millrace-alarms" }
  }

  assert {
    condition     = aws_sns_topic_subscription.notifications["alarms"].protocol == "sqs" && aws_sns_topic_subscription.notifications["alarms"].endpoint == aws_sqs_queue.events.arn && strcontains(aws_sqs_queue_policy.senders["events"].policy, var.topics["alarms"])
    error_message = "The topic's notifications are messages of the queue."
  }
}

run "bounds" {
  command = plan

  variables {
    max_concurrency = 1
    max_attempts    = 4
  }

  expect_failures = [var.max_concurrency, var.max_attempts]
}
