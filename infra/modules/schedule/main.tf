# A schedule that calls a function of the lake.

resource "aws_cloudwatch_event_rule" "this" {
  name                = "${var.name}-schedule"
  description         = "When ${var.name} is called"
  schedule_expression = var.schedule
}

resource "aws_cloudwatch_event_target" "this" {
  rule = aws_cloudwatch_event_rule.this.name
  arn  = var.function_arn

  # The next call does what a missed one did not.
  retry_policy {
    maximum_event_age_in_seconds = 60
    maximum_retry_attempts       = 0
  }
}

resource "aws_lambda_permission" "this" {
  statement_id  = "Schedule"
  action        = "lambda:InvokeFunction"
  function_name = var.function_name
  qualifier     = local.qualifier
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.this.arn
}

# An asynchronous call that failed is not made again, either.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = var.function_name
  qualifier                    = local.qualifier
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}

locals {
  # The alias's name, after the function's.
  qualifier = element(split(":", var.function_arn), 7)
}
