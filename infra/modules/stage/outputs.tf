output "policy" {
  description = "What the function may do with the messages."
  value = jsonencode({
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

output "dead_letter_queue" {
  description = "The queue of events whose attempts are used up."
  value       = aws_sqs_queue.dead_letters.name
}
