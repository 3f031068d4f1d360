output "state_machine_arn" {
  description = "The state machine: `millrace lake backfill --state-machine` starts it."
  value       = aws_sfn_state_machine.this.arn
}
