# The stages of the lake: for each, the events that start it or the schedule that calls it, and what its function may do. The functions are listed in
# functions/functions.json.

locals {
  stage_entries = {
    log-clean = {
      description = "Raw log objects, to be cleaned"
      event_pattern = {
        source      = ["aws.s3"]
        detail-type = ["Object Created"]
        detail      = { bucket = { name = [aws_s3_bucket.data.bucket] }, object = { key = [{ prefix = "raw/" }] } }
      }
      reads     = ["raw/*"]
      writes    = ["cleaned/*", "quarantine/*", "stages/clean/*"]
      replaces  = ["cleaned/*", "quarantine/*"]
      is_on_bus = true
    }
    log-metrics = {
      description = "Files of cleaned rows, to be counted"
      # Rows that are gone are to be counted no more.
      event_pattern = {
        source      = ["aws.s3"]
        detail-type = ["Object Created", "Object Deleted"]
        detail      = { bucket = { name = [aws_s3_bucket.data.bucket] }, object = { key = [{ prefix = "cleaned/" }] } }
      }
      # What compaction says tells which files have each row once.
      reads     = ["cleaned/*", "stages/compact/*"]
      writes    = ["metrics/*", "stages/metrics/*", "stages/alerts.json"]
      is_on_bus = true
      # What is unusual is looked for whether there are rows or not: none may be unusual.
      schedule    = "rate(1 minute)"
      environment = { MILLRACE_ALERT_DELAY = "${local.seconds_to_metrics}s" }
    }
    log-compact = {
      reads     = ["cleaned/*"]
      writes    = ["cleaned/*", "quarantine/cleaned/*", "stages/compact/*"]
      replaces  = ["cleaned/*"]
      is_on_bus = true
      schedule  = "rate(1 hour)"
    }
    athena-refresh = {
      is_wanted   = var.lake.partitions == "registered"
      description = "Files of the lake's tables, whose partitions are to be registered"
      event_pattern = {
        source      = ["aws.s3"]
        detail-type = ["Object Created"]
        detail      = { bucket = { name = [aws_s3_bucket.data.bucket] }, object = { key = [for table in ["cleaned", "metrics"] : { prefix = "${table}/" }] } }
      }
      # Results of queries, which Athena writes for the function.
      writes    = ["queries/*"]
      is_on_bus = true
      environment = {
        MILLRACE_ATHENA_DATABASE  = one(module.tables[*].database)
        MILLRACE_ATHENA_WORKGROUP = one(module.tables[*].workgroup)
      }
      statements = [
        { Sid = "Queries", Effect = "Allow", Action = ["athena:GetQueryExecution", "athena:StartQueryExecution"], Resource = one(module.tables[*].workgroup_arn) },
        {
          Sid      = "Partitions"
          Effect   = "Allow"
          Action   = ["glue:BatchCreatePartition", "glue:CreatePartition", "glue:GetDatabase", "glue:GetPartition", "glue:GetPartitions", "glue:GetTable"]
          Resource = one(module.tables[*].catalog_arns)
        },
        {
          # Athena looks for it before each statement that changes the catalog, whichever database that names.
          Sid      = "DefaultDatabase"
          Effect   = "Allow"
          Action   = ["glue:CreateDatabase", "glue:GetDatabase"]
          Resource = [for name in ["catalog", "database/default"] : "arn:aws:glue:${var.region}:${local.account_id}:${name}"]
        },
        { Sid = "ResultsBucket", Effect = "Allow", Action = "s3:GetBucketLocation", Resource = aws_s3_bucket.data.arn },
      ]
    }
    alerts = {
      description   = "Outages, what stages cannot take in, and alarms of the topic, to be told"
      event_pattern = { source = ["millrace.lake"], detail-type = [{ prefix = "millrace.alert." }, "Stage Failed"] }
      writes        = ["stages/alerts/*"]
      topics        = { Alarms = module.alerts.topic_arn }
      environment   = merge({ MILLRACE_ALERTS_TOPIC = module.alerts.topic_arn }, var.chats_secret_arn == null ? {} : { MILLRACE_CHATS_SECRET = var.chats_secret_arn })
      statements = concat(
        [
          { Sid = "Topic", Effect = "Allow", Action = "sns:Publish", Resource = module.alerts.topic_arn },
          {
            Sid       = "TopicKey"
            Effect    = "Allow"
            Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
            Resource  = aws_kms_key.this.arn
            Condition = { StringEquals = { "kms:ViaService" = "sns.${var.region}.amazonaws.com" } }
          },
        ],
        [for statement in [
          { Sid = "Chats", Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = var.chats_secret_arn },
          {
            Sid       = "ChatsKey"
            Effect    = "Allow"
            Action    = "kms:Decrypt"
            Resource  = concat([aws_kms_key.this.arn], var.secret_key_arns)
            Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${var.region}.amazonaws.com" } }
          },
        ] : statement if var.chats_secret_arn != null],
      )
    }
  }

  # Firehose's gathering, and two stages, each of which waits for a poller and perhaps for a start.
  seconds_to_metrics = coalesce(var.lake.buffer_seconds, 60) + 180

  stages = {
    for name, entry in local.stage_entries : name => entry
    if var.lake.has_stages && try(entry.is_wanted, true)
  }

  stage_policies = {
    for name, entry in local.stage_entries : name => jsonencode({
      Version = "2012-10-17"
      Statement = concat(
        [
          for statement in [
            {
              Sid      = "Reads"
              Effect   = "Allow"
              Action   = "s3:GetObject"
              Resource = [for objects in lookup(entry, "reads", []) : "${aws_s3_bucket.data.arn}/${objects}"]
            },
          ] : statement if length(statement.Resource) > 0
        ],
        [
          # What it made of an earlier content goes; uploads in parts that fail are ended.
          for objects in lookup(entry, "replaces", []) : {
            Sid      = "Replaces${title(split("/", objects)[0])}"
            Effect   = "Allow"
            Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject"]
            Resource = "${aws_s3_bucket.data.arn}/${objects}"
          }
        ],
        [
          {
            Sid      = "Writes"
            Effect   = "Allow"
            Action   = ["s3:GetObject", "s3:PutObject"]
            Resource = [for objects in entry.writes : "${aws_s3_bucket.data.arn}/${objects}"]
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
        ],
        [
          for bus in lookup(entry, "is_on_bus", false) ? ["default"] : [] : {
            Sid       = "Bus"
            Effect    = "Allow"
            Action    = "events:PutEvents"
            Resource  = "arn:aws:events:${var.region}:${local.account_id}:event-bus/${bus}"
            Condition = { "ForAllValues:StringEquals" = { "events:source" = ["millrace.lake"] } }
          }
        ],
        lookup(entry, "statements", []),
      )
    })
  }
}

module "schedule" {
  source   = "./modules/schedule"
  for_each = { for name, stage in local.stages : name => stage.schedule if contains(keys(stage), "schedule") }

  name          = "${var.name}-${each.key}"
  schedule      = each.value
  function_arn  = module.function[each.key].alias_arn
  function_name = module.function[each.key].name
}

moved {
  from = module.stage["log-metrics"].aws_cloudwatch_event_rule.schedule[0]
  to   = module.schedule["log-metrics"].aws_cloudwatch_event_rule.this
}

moved {
  from = module.stage["log-metrics"].aws_cloudwatch_event_target.schedule[0]
  to   = module.schedule["log-metrics"].aws_cloudwatch_event_target.this
}

moved {
  from = module.stage["log-metrics"].aws_lambda_permission.schedule[0]
  to   = module.schedule["log-metrics"].aws_lambda_permission.this
}

moved {
  from = module.stage["log-metrics"].aws_lambda_function_event_invoke_config.schedule[0]
  to   = module.schedule["log-metrics"].aws_lambda_function_event_invoke_config.this
}

module "backfill" {
  source = "./modules/backfill"
  count  = var.lake.has_stages ? 1 : 0

  name            = var.name
  account_id      = local.account_id
  region          = var.region
  bucket          = aws_s3_bucket.data.bucket
  kms_key_arn     = aws_kms_key.this.arn
  function_arn    = module.function["log-clean"].alias_arn
  max_concurrency = var.lake.stage_concurrency
}

module "stage" {
  source   = "./modules/stage"
  for_each = { for name, stage in local.stages : name => stage if contains(keys(stage), "event_pattern") }

  name            = "${var.name}-${each.key}"
  description     = each.value.description
  event_pattern   = each.value.event_pattern
  topics          = lookup(each.value, "topics", {})
  function_arn    = module.function[each.key].alias_arn
  role_name       = module.function[each.key].role_name
  timeout_seconds = local.listed_functions[each.key].timeout_seconds
  max_concurrency = var.lake.stage_concurrency
  max_attempts    = var.lake.stage_attempts
  kms_key_arn     = aws_kms_key.this.arn
  region          = var.region
}
