# A stage of the lake: events of a pattern are messages of a queue, and a function takes them.
#
# A queue, because it keeps what cannot be done now (Kafka is away) for days, and counts the attempts.

locals {
  # A message is not handed out again while an invocation may still have it; after a failed attempt it comes again then. Six time-outs are
  # recommended for functions that are throttled, of whose messages the poller waits with some: here it takes no more than max_concurrency.
  visibility_seconds = var.timeout_seconds + 30

  senders = merge(
    { EventBridge = { service = "events", source = aws_cloudwatch_event_rule.events.arn } },
    { for name, arn in var.topics : "Topic${name}" => { service = "sns", source = arn } },
  )
}

resource "aws_sqs_queue" "events" {
  name                       = var.name
  message_retention_seconds  = 1209600
  visibility_timeout_seconds = local.visibility_seconds
  kms_master_key_id          = var.kms_key_arn

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.max_attempts
  })
}

# Events whose attempts are used up, and events that EventBridge could not put into the queue.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = 1209600
  kms_master_key_id         = var.kms_key_arn
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.events.arn]
  })
}

resource "aws_cloudwatch_event_rule" "events" {
  name        = var.name
  description = var.description

  event_pattern = jsonencode(var.event_pattern)
}

resource "aws_cloudwatch_event_target" "events" {
  rule = aws_cloudwatch_event_rule.events.name
  arn  = aws_sqs_queue.events.arn

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }

  depends_on = [aws_sqs_queue_policy.senders]
}

# Who puts messages into the queues: the rule, and topics where there are some.
resource "aws_sqs_queue_policy" "senders" {
  for_each = { events = aws_sqs_queue.events, dead_letters = aws_sqs_queue.dead_letters }

  queue_url = each.value.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for name, sender in local.senders : {
        Sid       = name
        Effect    = "Allow"
        Principal = { Service = "${sender.service}.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = each.value.arn
        Condition = { ArnEquals = { "aws:SourceArn" = sender.source } }
      }
    ]
  })
}

moved {
  from = aws_sqs_queue_policy.from_event_bridge
  to   = aws_sqs_queue_policy.senders
}

resource "aws_sns_topic_subscription" "notifications" {
  for_each = var.topics

  topic_arn = each.value
  protocol  = "sqs"
  endpoint  = aws_sqs_queue.events.arn

  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead_letters.arn })

  depends_on = [aws_sqs_queue_policy.senders]
}

resource "aws_iam_role_policy" "messages" {
  name = "messages"
  role = var.role_name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Messages"
        Effect   = "Allow"
        Action   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        Resource = aws_sqs_queue.events.arn
      },
      {
        Sid       = "MessagesKey"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = var.kms_key_arn
        Condition = { StringEquals = { "kms:ViaService" = "sqs.${var.region}.amazonaws.com" } }
      },
    ]
  })
}

resource "aws_lambda_event_source_mapping" "events" {
  event_source_arn = aws_sqs_queue.events.arn
  function_name    = var.function_arn
  # One object, so that a slow or failing one takes no other with it.
  batch_size              = 1
  function_response_types = ["ReportBatchItemFailures"]

  # Each environment is a connection to each broker.
  scaling_config {
    maximum_concurrency = var.max_concurrency
  }

  # Lambda refuses a function that may not take the messages.
  depends_on = [aws_iam_role_policy.messages]
}
