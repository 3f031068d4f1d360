mock_provider "aws" {
  source = "../../tests/mock"
}

variables {
  name        = "millrace-dev"
  account_id  = "123456789012"
  region      = "eu-central-1"
  bucket      = "lake"
  kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "tables" {
  assert {
    condition     = aws_glue_catalog_database.lake.name == "millrace_dev" && toset(keys(aws_glue_catalog_table.this)) == toset(["cleaned", "metrics"])
    error_message = "There is a table for each folder of the lake, in a database whose name needs no quotes."
  }

  assert {
    condition = alltrue([
      for name, table in aws_glue_catalog_table.this : table.parameters["storage.location.template"] == "s3://lake/${name}/dt=$${dt}/hour=$${hour}"
      && table.parameters["projection.hour.range"] == "0,23" && length(table.storage_descriptor[0].columns) == length(local.tables[name].columns)
    ])
    error_message = "Partitions are the folders that the lake writes, and columns those of its files."
  }

  assert {
    condition     = one(one(aws_athena_workgroup.lake.configuration).result_configuration).output_location == "s3://lake/queries/" && one(aws_athena_workgroup.lake.configuration).enforce_workgroup_configuration && one(aws_athena_workgroup.lake.configuration).bytes_scanned_cutoff_per_query == 107374182400
    error_message = "No query reads more than the limit, whatever its client asks for."
  }

  assert {
    condition     = length(aws_athena_named_query.this) == length(fileset("./queries", "*.sql")) && aws_athena_named_query.this["errors_by_service"].description == "Errors by service and hour of today"
    error_message = "Each query is there, and says what it shows."
  }
}

run "registered" {
  variables {
    partitions = "registered"
  }

  assert {
    condition = alltrue([
      for table in values(aws_glue_catalog_table.this) : table.parameters["projection.enabled"] == "false" && !contains(keys(table.parameters), "storage.location.template") && table.storage_descriptor[0].location == "s3://lake/${table.name}/"
    ])
    error_message = "Where partitions are registered, none is computed: Athena would not look at those of the catalog."
  }

  assert {
    condition     = length(output.catalog_arns) == 4 && contains(output.catalog_arns, "arn:aws:glue:eu-central-1:123456789012:database/millrace_dev")
    error_message = "Registering needs the catalog, the database and its tables: ${join(", ", output.catalog_arns)}."
  }
}

run "bounds" {
  command = plan

  variables {
    partitions     = "guessed"
    first_day      = "yesterday"
    scan_limit_gib = 0
  }

  expect_failures = [var.partitions, var.first_day, var.scan_limit_gib]
}
