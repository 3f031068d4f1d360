output "database" {
  description = "The database of the lake's tables."
  value       = aws_glue_catalog_database.lake.name
}

output "workgroup" {
  description = "The workgroup for queries over the lake."
  value       = aws_athena_workgroup.lake.name
}

output "workgroup_arn" {
  description = "The workgroup's ARN."
  value       = aws_athena_workgroup.lake.arn
}

output "catalog_arns" {
  description = "What a program may do something to that registers partitions: the catalog, the database and its tables."
  value = concat(
    ["${local.glue}:catalog", "${local.glue}:database/${aws_glue_catalog_database.lake.name}"],
    [for table in values(aws_glue_catalog_table.this) : table.arn],
  )
}
