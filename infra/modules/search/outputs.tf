output "url" {
  description = "Where the domain is called, in the VPC."
  value       = "https://${aws_opensearch_domain.this.endpoint}"
}

output "domain_name" {
  description = "The domain: the dimension `DomainName` of its metrics."
  value       = aws_opensearch_domain.this.domain_name
}

output "indexer_policy" {
  description = "What log-indexer may do: write documents, its template, and delete indices that are too old."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Index"
      Effect   = "Allow"
      Action   = ["es:ESHttpDelete", "es:ESHttpGet", "es:ESHttpPost", "es:ESHttpPut"]
      Resource = "${local.domain_arn}/*"
    }]
  })
}
