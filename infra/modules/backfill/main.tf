# Months of raw objects, cleaned: a state machine whose Distributed Map lists the objects below a prefix, and calls log-clean for each.
#
# An object that is cleaned already is left as it is, so a run that failed, or was stopped, is started again.

locals {
  arn = "arn:aws:states:${var.region}:${var.account_id}"
}

resource "aws_sfn_state_machine" "this" {
  #checkov:skip=CKV_AWS_284:Traces go by the record's traceparent header; X-Ray would add a segment without the event.
  #checkov:skip=CKV_AWS_285:The history of a run is kept by Step Functions for 90 days, and its results list each object that failed, with the reason.
  name     = "${var.name}-backfill"
  role_arn = aws_iam_role.this.arn

  definition = templatefile("${path.module}/states.json", {
    bucket                     = var.bucket
    function_arn               = var.function_arn
    max_concurrency            = var.max_concurrency
    tolerated_failures_percent = var.tolerated_failures_percent
  })

  # A run that starts without them fails.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_iam_role" "this" {
  name_prefix = "${substr(var.name, 0, 20)}-backfill-"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "states.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "backfill"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Clean", Effect = "Allow", Action = "lambda:InvokeFunction", Resource = var.function_arn },
      {
        Sid       = "List"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = "arn:aws:s3:::${var.bucket}"
        Condition = { StringLike = { "s3:prefix" = ["raw/*"] } }
      },
      {
        Sid      = "Results"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
        Resource = "arn:aws:s3:::${var.bucket}/stages/backfill/*"
      },
      {
        Sid       = "ResultsKey"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = var.kms_key_arn
        Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
      },
      # A Distributed Map starts its own state machine for each object.
      { Sid = "Children", Effect = "Allow", Action = "states:StartExecution", Resource = "${local.arn}:stateMachine:${var.name}-backfill" },
      {
        Sid      = "ChildrenOfRuns"
        Effect   = "Allow"
        Action   = ["states:DescribeExecution", "states:RedriveExecution", "states:StopExecution"]
        Resource = ["${local.arn}:execution:${var.name}-backfill:*", "${local.arn}:execution:${var.name}-backfill/*"]
      },
    ]
  })
}
