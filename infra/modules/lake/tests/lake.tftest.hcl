mock_provider "aws" {
  source = "../../tests/mock"
}

variables {
  name               = "millrace"
  region             = "eu-central-1"
  account_id         = "123456789012"
  bucket_arn         = "arn:aws:s3:::millrace-mock"
  kms_key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  log_retention_days = 30
}

run "delivery" {
  assert {
    condition = (
      one(aws_kinesis_firehose_delivery_stream.raw_logs.extended_s3_configuration).prefix == "raw/!{timestamp:yyyy/MM/dd/HH}/" &&
      one(aws_kinesis_firehose_delivery_stream.raw_logs.extended_s3_configuration).error_output_prefix == "raw-errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/"
    )
    error_message = "Objects are where the stages read them: docs/lake.md."
  }

  assert {
    condition     = one(aws_kinesis_firehose_delivery_stream.raw_logs.extended_s3_configuration).compression_format == "GZIP" && one(aws_kinesis_firehose_delivery_stream.raw_logs.extended_s3_configuration).buffering_size == 64 && one(aws_kinesis_firehose_delivery_stream.raw_logs.extended_s3_configuration).buffering_interval == 60
    error_message = "Objects are gzip, of 64 MiB or a minute."
  }

  assert {
    condition     = one(aws_kinesis_firehose_delivery_stream.raw_logs.server_side_encryption).key_arn == var.kms_key_arn && one(aws_kinesis_firehose_delivery_stream.raw_logs.extended_s3_configuration).kms_key_arn == var.kms_key_arn
    error_message = "What waits in the stream and the objects are encrypted with the key."
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_iam_role_policy.delivery.policy).Statement : statement.Resource if statement.Sid == "Objects"
    ])) == toset(["arn:aws:s3:::millrace-mock/raw/*", "arn:aws:s3:::millrace-mock/raw-errors/*"])
    error_message = "Firehose writes raw objects and no others."
  }

  assert {
    condition     = jsondecode(output.shipper_policy).Statement[0].Resource == aws_kinesis_firehose_delivery_stream.raw_logs.arn
    error_message = "log-shipper puts records into this stream alone."
  }
}

run "a_buffer_is_within_the_quota" {
  command = plan

  variables {
    buffer_mib     = 129
    buffer_seconds = 901
  }

  expect_failures = [var.buffer_mib, var.buffer_seconds]
}
