# The lake in QuickSight: a source of data (the lake's workgroup of Athena), a data set of metrics and one of errors, and a dashboard of both.
#
# Data sets are queried where they are (DIRECT_QUERY): a dashboard shows rows a minute after they were written, and nothing is copied.

locals {
  data_sets = {
    for name, data_set in jsondecode(file("${path.module}/data_sets.json")) : name => merge(data_set, {
      sql = templatefile("${path.module}/queries/${name}.sql", { database = var.database, days = var.days })
    })
  }

  # What QuickSight calls a user of each; an owner may change them as well.
  user_actions = {
    source    = ["quicksight:DescribeDataSource", "quicksight:DescribeDataSourcePermissions", "quicksight:PassDataSource"]
    data_set  = ["quicksight:DescribeDataSet", "quicksight:DescribeDataSetPermissions", "quicksight:DescribeIngestion", "quicksight:ListIngestions", "quicksight:PassDataSet"]
    dashboard = ["quicksight:DescribeDashboard", "quicksight:ListDashboardVersions", "quicksight:QueryDashboard"]
  }

  # Line charts over the hours of the metrics, a line for each service.
  lines = {
    errors  = { title = "Errors an hour", column = "errors", aggregation = "SUM" }
    records = { title = "Records an hour", column = "records", aggregation = "SUM" }
    latency = { title = "The slowest minute's p95 of each hour, in milliseconds", column = "latency_p95", aggregation = "MAX" }
  }
}

resource "aws_quicksight_data_source" "athena" {
  data_source_id = "${var.name}-lake"
  name           = "${var.name}: log lake"
  type           = "ATHENA"

  parameters {
    athena {
      work_group = var.workgroup
    }
  }

  ssl_properties {
    disable_ssl = false
  }

  dynamic "permission" {
    for_each = var.principals
    content {
      principal = permission.value
      actions   = local.user_actions.source
    }
  }

  # It is tried when it is made.
  depends_on = [aws_iam_role_policy.lake]
}

resource "aws_quicksight_data_set" "this" {
  for_each = local.data_sets

  data_set_id = "${var.name}-${each.key}"
  name        = "${var.name}: ${each.key}"
  import_mode = "DIRECT_QUERY"

  physical_table_map {
    physical_table_map_id = each.key

    custom_sql {
      name            = each.key
      data_source_arn = aws_quicksight_data_source.athena.arn
      sql_query       = each.value.sql

      dynamic "columns" {
        for_each = each.value.columns
        content {
          name = columns.value.name
          type = columns.value.type
        }
      }
    }
  }

  dynamic "permissions" {
    for_each = var.principals
    content {
      principal = permissions.value
      actions   = local.user_actions.data_set
    }
  }
}

resource "aws_quicksight_dashboard" "logs" {
  dashboard_id        = "${var.name}-logs"
  name                = "${var.name}: logs"
  version_description = "infra/modules/quicksight"

  dynamic "permissions" {
    for_each = var.principals
    content {
      principal = permissions.value
      actions   = local.user_actions.dashboard
    }
  }

  definition {
    dynamic "data_set_identifiers_declarations" {
      for_each = aws_quicksight_data_set.this
      content {
        identifier   = data_set_identifiers_declarations.key
        data_set_arn = data_set_identifiers_declarations.value.arn
      }
    }

    sheets {
      sheet_id = "logs"
      name     = "Logs of the last ${var.days} days"

      dynamic "visuals" {
        for_each = local.lines
        content {
          line_chart_visual {
            visual_id = visuals.key

            title {
              format_text {
                plain_text = visuals.value.title
              }
            }

            chart_configuration {
              field_wells {
                line_chart_aggregated_field_wells {
                  category {
                    date_dimension_field {
                      field_id         = "${visuals.key}-hour"
                      date_granularity = "HOUR"

                      column {
                        data_set_identifier = "metrics"
                        column_name         = "window_start"
                      }
                    }
                  }

                  values {
                    numerical_measure_field {
                      field_id = "${visuals.key}-value"

                      column {
                        data_set_identifier = "metrics"
                        column_name         = visuals.value.column
                      }

                      aggregation_function {
                        simple_numerical_aggregation = visuals.value.aggregation
                      }
                    }
                  }

                  colors {
                    categorical_dimension_field {
                      field_id = "${visuals.key}-service"

                      column {
                        data_set_identifier = "metrics"
                        column_name         = "service"
                      }
                    }
                  }
                }
              }
            }
          }
        }
      }

      visuals {
        table_visual {
          visual_id = "latest-errors"

          title {
            format_text {
              plain_text = "Latest errors"
            }
          }

          chart_configuration {
            field_wells {
              table_unaggregated_field_wells {
                dynamic "values" {
                  for_each = local.data_sets["errors"].columns
                  content {
                    field_id = "error-${values.value.name}"

                    column {
                      data_set_identifier = "errors"
                      column_name         = values.value.name
                    }
                  }
                }
              }
            }

            sort_configuration {
              row_sort {
                field_sort {
                  field_id  = "error-time"
                  direction = "DESC"
                }
              }
            }
          }
        }
      }
    }
  }
}

# QuickSight reads with a role of its own, which is there once an account has signed up: what it may do besides is set in QuickSight's console.
resource "aws_iam_role_policy" "lake" {
  name = "${var.name}-lake"
  role = var.service_role_name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Queries"
        Effect = "Allow"
        Action = [
          "athena:BatchGetQueryExecution", "athena:GetQueryExecution", "athena:GetQueryResults", "athena:GetQueryResultsStream",
          "athena:GetWorkGroup", "athena:StartQueryExecution", "athena:StopQueryExecution",
        ]
        Resource = var.workgroup_arn
      },
      {
        Sid      = "Tables"
        Effect   = "Allow"
        Action   = ["glue:GetDatabase", "glue:GetPartition", "glue:GetPartitions", "glue:GetTable", "glue:GetTables"]
        Resource = var.catalog_arns
      },
      {
        Sid      = "Rows"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = [for folder in ["cleaned", "metrics", "queries"] : "arn:aws:s3:::${var.bucket}/${folder}/*"]
      },
      {
        Sid      = "Results"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"]
        Resource = "arn:aws:s3:::${var.bucket}/queries/*"
      },
      { Sid = "Bucket", Effect = "Allow", Action = ["s3:GetBucketLocation", "s3:ListBucket"], Resource = "arn:aws:s3:::${var.bucket}" },
      {
        Sid       = "ObjectsKey"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = var.kms_key_arn
        Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
      },
    ]
  })
}
