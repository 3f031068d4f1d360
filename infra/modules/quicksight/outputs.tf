output "dashboard_id" {
  description = "The dashboard's id: https://REGION.quicksight.aws.amazon.com/sn/dashboards/ID."
  value       = aws_quicksight_dashboard.logs.dashboard_id
}
