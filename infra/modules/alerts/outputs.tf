output "topic_arn" {
  description = "The topic that all alarms go to."
  value       = aws_sns_topic.alarms.arn
}

output "alarm_kinds" {
  description = "Kinds of alarms, each of them an entry of the runbook, by the alarm's name."
  value       = { for name, alarm in local.alarms : name => alarm.kind }
}
