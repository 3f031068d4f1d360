mock_provider "aws" {
  source = "../../tests/mock"
}

variables {
  name         = "millrace"
  account_id   = "123456789012"
  region       = "eu-central-1"
  bucket       = "lake"
  kms_key_arn  = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:millrace-log-clean:live"
}

run "objects" {
  assert {
    condition = (
      jsondecode(aws_sfn_state_machine.this.definition).States.Objects.ItemReader.Parameters == { Bucket = "lake", "Prefix.$" = "$.prefix" }
      && jsondecode(aws_sfn_state_machine.this.definition).States.Objects.ItemProcessor.States.Clean.Parameters.FunctionName == var.function_arn
      && jsondecode(aws_sfn_state_machine.this.definition).States.Objects.MaxConcurrency == 10
    )
    error_message = "Each object of the prefix is cleaned by log-clean, ten at once."
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States.Objects.ItemSelector.detail.bucket.name == "lake"
    error_message = "log-clean gets an event as S3's: it ignores objects of other buckets."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      !contains(flatten([statement.Action]), "s3:PutObject") || statement.Resource == "arn:aws:s3:::lake/stages/backfill/*"
    ]) && length([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement if contains(flatten([statement.Action]), "states:StartExecution")]) == 1
    error_message = "A run writes its results, and starts nothing but its own children."
  }
}

run "bounds" {
  command = plan

  variables {
    max_concurrency            = 0
    tolerated_failures_percent = 101
  }

  expect_failures = [var.max_concurrency, var.tolerated_failures_percent]
}
