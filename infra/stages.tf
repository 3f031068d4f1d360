# The stages of the lake: for each, the events that start it, and what its function may do. The functions are listed in
# functions/functions.json.

locals {
  stage_entries = {
    log-clean = {
      description = "Raw log objects, to be cleaned"
      event_pattern = {
        source      = ["aws.s3"]
        detail-type = ["Object Created"]
        detail = {
          bucket = { name = [aws_s3_bucket.data.bucket] }
          object = { key = [{ prefix = "raw/" }] }
        }
      }
      reads  = ["raw"]
      writes = ["cleaned", "quarantine", "stages"]
    }
  }

  stages = { for name, entry in local.stage_entries : name => entry if var.lake.has_stages }

  stage_policies = {
    for name, entry in local.stage_entries : name => jsonencode({
      Version = "2012-10-17"
      Statement = [
        {
          Sid      = "Reads"
          Effect   = "Allow"
          Action   = "s3:GetObject"
          Resource = [for folder in entry.reads : "${aws_s3_bucket.data.arn}/${folder}/*"]
        },
        {
          Sid      = "Writes"
          Effect   = "Allow"
          Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
          Resource = [for folder in entry.writes : "${aws_s3_bucket.data.arn}/${folder}/*"]
        },
        {
          # Without it S3 answers 403 for an object that is not there.
          Sid      = "MissingObjects"
          Effect   = "Allow"
          Action   = "s3:ListBucket"
          Resource = aws_s3_bucket.data.arn
        },
        {
          Sid       = "ObjectsKey"
          Effect    = "Allow"
          Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource  = aws_kms_key.this.arn
          Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
        },
        {
          Sid       = "Bus"
          Effect    = "Allow"
          Action    = "events:PutEvents"
          Resource  = "arn:aws:events:${var.region}:${local.account_id}:event-bus/default"
          Condition = { StringEquals = { "events:source" = "millrace.lake" } }
        },
      ]
    })
  }
}

module "stage" {
  source   = "./modules/stage"
  for_each = local.stages

  name            = "${var.name}-${each.key}"
  description     = each.value.description
  event_pattern   = each.value.event_pattern
  function_arn    = module.function[each.key].alias_arn
  role_name       = module.function[each.key].role_name
  timeout_seconds = local.listed_functions[each.key].timeout_seconds
  max_concurrency = var.lake.stage_concurrency
  max_attempts    = var.lake.stage_attempts
  kms_key_arn     = aws_kms_key.this.arn
  region          = var.region
}
