# Raw logs: a Firehose stream that gathers the lines it is given into gzip objects under raw/ of the bucket.

locals {
  # The layout that the stages read: docs/lake.md.
  prefix       = "raw/!{timestamp:yyyy/MM/dd/HH}/"
  error_prefix = "raw-errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/"
}

resource "aws_kinesis_firehose_delivery_stream" "raw_logs" {
  name        = "${var.name}-raw-logs"
  destination = "extended_s3"

  server_side_encryption {
    enabled  = true
    key_type = "CUSTOMER_MANAGED_CMK"
    key_arn  = var.kms_key_arn
  }

  extended_s3_configuration {
    role_arn            = aws_iam_role.delivery.arn
    bucket_arn          = var.bucket_arn
    prefix              = local.prefix
    error_output_prefix = local.error_prefix
    # The lines are JSON each, with a line break at its end.
    file_extension     = ".jsonl.gz"
    compression_format = "GZIP"
    buffering_size     = var.buffer_mib
    buffering_interval = var.buffer_seconds
    kms_key_arn        = var.kms_key_arn

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.delivery.name
      log_stream_name = aws_cloudwatch_log_stream.delivery.name
    }
  }

  # A stream whose role may not write yet fails its first objects.
  depends_on = [aws_iam_role_policy.delivery]
}

resource "aws_cloudwatch_log_group" "delivery" {
  name              = "/aws/kinesisfirehose/${var.name}-raw-logs"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_cloudwatch_log_stream" "delivery" {
  name           = "DestinationDelivery"
  log_group_name = aws_cloudwatch_log_group.delivery.name
}

resource "aws_iam_role" "delivery" {
  name_prefix = "${substr(var.name, 0, 24)}-raw-logs-"
  description = "Firehose writes raw logs"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "firehose.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "delivery" {
  name = "delivery"
  role = aws_iam_role.delivery.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Objects"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
        Resource = ["${var.bucket_arn}/raw/*", "${var.bucket_arn}/raw-errors/*"]
      },
      {
        Sid      = "Bucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
        Resource = var.bucket_arn
      },
      {
        Sid       = "Key"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = var.kms_key_arn
        Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
      },
      {
        Sid      = "Errors"
        Effect   = "Allow"
        Action   = "logs:PutLogEvents"
        Resource = "${aws_cloudwatch_log_group.delivery.arn}:log-stream:${aws_cloudwatch_log_stream.delivery.name}"
      },
    ]
  })
}
