mock_provider "aws" {
  source = "../../tests/mock"
}

variables {
  name          = "millrace"
  region        = "eu-central-1"
  principals    = ["arn:aws:quicksight:eu-central-1:123456789012:group/default/operations"]
  database      = "millrace"
  workgroup     = "millrace"
  workgroup_arn = "arn:aws:athena:eu-central-1:123456789012:workgroup/millrace"
  catalog_arns  = ["arn:aws:glue:eu-central-1:123456789012:catalog"]
  bucket        = "lake"
  kms_key_arn   = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "dashboard" {
  assert {
    condition = toset(one(aws_quicksight_dashboard.logs.definition).data_set_identifiers_declarations[*].identifier) == toset(["errors", "metrics"]) && length(
      one(one(aws_quicksight_dashboard.logs.definition).sheets).visuals
    ) == 4
    error_message = "The dashboard shows metrics and errors."
  }

  assert {
    condition = alltrue([
      for line in values(local.lines) : contains(local.data_sets["metrics"].columns[*].name, line.column)
    ])
    error_message = "What a line shows is a column of its data set."
  }

  assert {
    condition = alltrue([
      for name, data_set in aws_quicksight_data_set.this :
      data_set.import_mode == "DIRECT_QUERY"
      && strcontains(one(one(data_set.physical_table_map).custom_sql).sql_query, "FROM \"millrace\".${name == "errors" ? "cleaned" : "metrics"}\nWHERE dt >= current_date - INTERVAL '7' DAY")
    ])
    error_message = "Data sets are queries of the lake's tables that name their days: without them each folder is looked into."
  }

  assert {
    condition = (
      one(aws_quicksight_dashboard.logs.permissions).principal == one(var.principals)
      && alltrue([for data_set in values(aws_quicksight_data_set.this) : one(data_set.permissions).principal == one(var.principals)])
      && one(aws_quicksight_data_source.athena.permission).principal == one(var.principals)
    )
    error_message = "Who sees the dashboard is who was named."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.lake.policy).Statement :
      !contains(flatten([statement.Action]), "s3:PutObject") || statement.Resource == "arn:aws:s3:::lake/queries/*"
    ])
    error_message = "QuickSight writes nothing but results of queries."
  }
}

run "bounds" {
  command = plan

  variables {
    principals = []
    days       = 0
  }

  expect_failures = [var.principals, var.days]
}
