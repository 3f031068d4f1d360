mock_provider "aws" {
  source = "../../tests/mock"
}

variables {
  name            = "millrace-mock"
  description     = "A function"
  zip             = "../../tests/dist/manifest.json"
  architecture    = "arm64"
  timeout_seconds = 20
  policies        = { own = "{\"Version\": \"2012-10-17\", \"Statement\": []}" }
  vpc_id          = "vpc-1"
  subnet_ids      = ["subnet-1", "subnet-2", "subnet-3"]
  kms_key_arn     = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "function" {
  assert {
    condition     = aws_lambda_function.this.runtime == "provided.al2023" && tolist(aws_lambda_function.this.architectures) == tolist(["arm64"]) && aws_lambda_function.this.publish
    error_message = "It is our program, and each change a version."
  }

  assert {
    condition     = aws_lambda_function.this.source_code_hash == filebase64sha256("../../tests/dist/manifest.json")
    error_message = "Another artifact is another version."
  }

  assert {
    condition     = aws_lambda_function.this.kms_key_arn == var.kms_key_arn && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.this.retention_in_days == 365
    error_message = "Environment and logs are encrypted; logs do not stay for ever."
  }

  assert {
    condition     = length(aws_iam_role_policy.own) == 1 && aws_lambda_function.this.environment[0].variables["MILLRACE_LOG"] == "info"
    error_message = "It has its own policies, and logs."
  }

  # The code cannot make network interfaces, although its role must let Lambda do so.
  assert {
    condition = join(" ", flatten([
      for statement in jsondecode(aws_iam_role_policy.runtime.policy).Statement :
      contains(statement.Action, "ec2:CreateNetworkInterface") ? statement.Condition.ArnEquals["lambda:SourceFunctionArn"] : [] if statement.Effect == "Deny"
    ])) == "arn:aws:lambda:eu-central-1:123456789012:function:mock"
    error_message = "The code is denied what Lambda needs the role for: ${aws_iam_role_policy.runtime.policy}."
  }
}

run "refuses_a_missing_artifact" {
  command = plan
  variables {
    zip = "nowhere.zip"
  }
  expect_failures = [var.zip]
}

run "another_artifact_than_was_asked_for" {
  command = plan

  variables {
    sha256 = "5cedbab18aa285c6000000000000000000000000000000000000000000000000"
  }

  expect_failures = [var.sha256]
}
