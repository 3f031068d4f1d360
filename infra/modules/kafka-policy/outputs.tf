output "json" {
  description = "The policy document."
  value = jsonencode({
    Version   = "2012-10-17"
    Statement = [for candidate in local.candidates : candidate.statement if candidate.applies]
  })
}
