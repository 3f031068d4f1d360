# The lake as tables of Athena: a database of Glue, a table a folder, a workgroup whose queries are bounded, and queries to
# begin with.
#
# Partitions are computed from their folders' names (partition projection): a day's rows are there without a crawler, and none has
# to be added. Readers of the catalog that know no projection (Spark, Redshift Spectrum) see none; for them
# partitions are registered, by the function athena-refresh.

locals {
  glue = "arn:aws:glue:${var.region}:${var.account_id}"

  projection = {
    for table in keys(local.tables) : table => var.partitions == "registered" ? { "projection.enabled" = "false" } : {
      "projection.enabled"                                                                             = "true"
      "projection.dt.type"                                                                             = "date"
      "projection.dt.format"                                                                           = "yyyy-MM-dd"
      "projection.dt.range"                                                                            = "${var.first_day},NOW+2DAYS"
      "projection.hour.type"                                                                           = "integer"
      "projection.hour.range"                                                                          = "0,23"
      "storage.location.template"                                                                      = "s3://${var.bucket}/${table}/dt=$${dt}/hour=$${hour}"
    }
  }

  tables = jsondecode(file("${path.module}/../../../crates/lake/tables.json"))

  queries = {
    for file in fileset("${path.module}/queries", "*.sql") : trimsuffix(file, ".sql") => file("${path.module}/queries/${file}")
  }
}

resource "aws_glue_catalog_database" "lake" {
  name         = replace(var.name, "-", "_")
  description  = "The log lake"
  location_uri = "s3://${var.bucket}/"
}

resource "aws_glue_catalog_table" "this" {
  for_each = local.tables

  name          = each.key
  database_name = aws_glue_catalog_database.lake.name
  description   = each.value.description
  table_type    = "EXTERNAL_TABLE"

  parameters = merge({ EXTERNAL = "TRUE", classification = "parquet" }, local.projection[each.key])

  partition_keys {
    name    = "dt"
    type    = "date"
    comment = "The day, in UTC"
  }

  partition_keys {
    name    = "hour"
    type    = "int"
    comment = "The hour, in UTC"
  }

  storage_descriptor {
    location      = "s3://${var.bucket}/${each.key}/"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    }

    dynamic "columns" {
      for_each = each.value.columns
      content {
        name = columns.value.name
        type = columns.value.type
      }
    }
  }
}

resource "aws_athena_workgroup" "lake" {
  name          = var.name
  description   = "Queries over the log lake"
  force_destroy = true

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = var.scan_limit_gib * 1073741824

    result_configuration {
      output_location = "s3://${var.bucket}/queries/"

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = var.kms_key_arn
      }
    }
  }
}

resource "aws_athena_named_query" "this" {
  for_each = local.queries

  name        = each.key
  description = trimprefix(split("\n", each.value)[0], "-- ")
  workgroup   = aws_athena_workgroup.lake.id
  database    = aws_glue_catalog_database.lake.name
  query       = each.value
}
