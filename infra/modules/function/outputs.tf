output "name" {
  description = "The function's name."
  value       = aws_lambda_function.this.function_name
}

output "alias" {
  description = "The alias that callers use."
  value       = aws_lambda_alias.live.name
}

output "alias_arn" {
  description = "The alias's ARN."
  value       = aws_lambda_alias.live.arn
}

output "alias_invoke_arn" {
  description = "What API Gateway calls."
  value       = aws_lambda_alias.live.invoke_arn
}

output "version" {
  description = "The version that is called."
  value       = aws_lambda_function.this.version
}

output "role_name" {
  description = "Its role."
  value       = aws_iam_role.this.name
}

output "security_group_id" {
  description = "Its security group; null where it is in no VPC."
  value       = one(aws_security_group.this[*].id)

  # A call in the same apply has its policies.
  depends_on = [aws_iam_role_policy.own, aws_vpc_security_group_egress_rule.https]
}

output "log_group_name" {
  description = "Its log group."
  value       = aws_cloudwatch_log_group.this.name
}
