output "queue" {
  description = "The queue of events."
  value       = aws_sqs_queue.events.name
}

output "dead_letter_queue" {
  description = "The queue of events whose attempts are used up."
  value       = aws_sqs_queue.dead_letters.name
}
