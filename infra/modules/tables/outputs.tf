output "database" {
  description = "The database of the lake's tables."
  value       = aws_glue_catalog_database.lake.name
}

output "workgroup" {
  description = "The workgroup for queries over the lake."
  value       = aws_athena_workgroup.lake.name
}
