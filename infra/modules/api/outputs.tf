output "url" {
  description = "Where the API is called."
  value       = var.domain == null ? aws_apigatewayv2_api.this.api_endpoint : "https://${var.domain.name}"
}

output "api_id" {
  description = "The API's id: the dimension `ApiId` of its metrics."
  value       = aws_apigatewayv2_api.this.id
}

output "routes" {
  description = "Its routes, such as `POST /events`."
  value       = local.routes
}
