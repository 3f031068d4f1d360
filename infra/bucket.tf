# One bucket for what is kept as objects: insights and the lake.

resource "aws_s3_bucket" "data" {
  #checkov:skip=CKV_AWS_18:Access logging needs a second bucket; CloudTrail's data events are the account's own choice.
  #checkov:skip=CKV_AWS_144:A copy in another region is the account's own choice; versions are kept here.
  bucket_prefix = "${var.name}-"
  force_destroy = !var.is_protected
}

resource "aws_s3_bucket_public_access_block" "data" {
  bucket = aws_s3_bucket.data.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "data" {
  bucket = aws_s3_bucket.data.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "data" {
  bucket = aws_s3_bucket.data.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.this.arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "data" {
  bucket = aws_s3_bucket.data.id

  rule {
    id     = "what-is-left-over"
    status = "Enabled"

    filter {}

    # Of objects that compaction has removed, once no version is left.
    expiration {
      expired_object_delete_marker = true
    }

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = toset(["raw/", "raw-errors/"])

    content {
      id     = "${trimsuffix(rule.value, "/")}-is-kept-for-a-while"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      expiration {
        days = var.lake.raw_days
      }
    }
  }

  # Results of queries and backfills, and what was told of an outage.
  dynamic "rule" {
    for_each = { "queries/" = 7, "stages/alerts/" = 30, "stages/backfill/" = 30 }

    content {
      id     = "${replace(trimsuffix(rule.key, "/"), "/", "-")}-is-kept-for-a-while"
      status = "Enabled"

      filter {
        prefix = rule.key
      }

      expiration {
        days = rule.value
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.data]
}

resource "aws_s3_bucket_notification" "data" {
  bucket      = aws_s3_bucket.data.id
  eventbridge = true
}

resource "aws_s3_bucket_policy" "data" {
  bucket = aws_s3_bucket.data.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.data.arn, "${aws_s3_bucket.data.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.data]
}

locals {
  # For commands by hand: millrace trace, millrace lake report.
  lake_reader_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Objects"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = [for folder in ["raw", "cleaned", "metrics", "stages"] : "${aws_s3_bucket.data.arn}/${folder}/*"]
      },
      { Sid = "Names", Effect = "Allow", Action = "s3:ListBucket", Resource = aws_s3_bucket.data.arn },
      {
        Sid       = "ObjectsKey"
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = aws_kms_key.this.arn
        Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
      },
    ]
  })

  insights_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Insights", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject"], Resource = "${aws_s3_bucket.data.arn}/insights/*" },
      {
        Sid       = "InsightsKey"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = aws_kms_key.this.arn
        Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
      },
    ]
  })
}
