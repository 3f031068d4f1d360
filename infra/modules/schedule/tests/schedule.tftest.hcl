mock_provider "aws" {
  source = "../../tests/mock"
}

variables {
  name          = "millrace-log-metrics"
  schedule      = "rate(1 minute)"
  function_name = "millrace-log-metrics"
  function_arn  = "arn:aws:lambda:eu-central-1:123456789012:function:millrace-log-metrics:live"
}

run "calls" {
  assert {
    condition     = aws_cloudwatch_event_rule.this.schedule_expression == "rate(1 minute)" && aws_cloudwatch_event_target.this.arn == var.function_arn
    error_message = "The schedule calls the function's alias."
  }

  assert {
    condition     = aws_lambda_permission.this.qualifier == "live" && aws_lambda_permission.this.source_arn == aws_cloudwatch_event_rule.this.arn
    error_message = "The schedule, and no other rule, may call the alias."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this.maximum_retry_attempts == 0 && aws_lambda_function_event_invoke_config.this.maximum_event_age_in_seconds == 60 && one(aws_cloudwatch_event_target.this.retry_policy).maximum_retry_attempts == 0
    error_message = "A call that is missed is not made up for."
  }
}
