# An HTTP API with a route for each operation of the OpenAPI document, before the edge's function.

locals {
  paths = jsondecode(var.openapi).paths

  routes = toset(flatten([
    for path, operations in local.paths : [for method in keys(operations) : "${upper(method)} ${path}"]
  ]))

  # Load balancers and client generators ask for these without credentials.
  public_routes = toset(["GET /health", "GET /openapi.json"])

  unknown_throttles = setsubtract(keys(var.throttle.routes), local.routes)
}

resource "aws_apigatewayv2_api" "this" {
  name          = var.name
  description   = "Millrace's edge"
  protocol_type = "HTTP"
  # With a domain of one's own there is one way in.
  disable_execute_api_endpoint = var.domain != null

  dynamic "cors_configuration" {
    for_each = length(var.cors_origins) > 0 ? [1] : []
    content {
      allow_origins = var.cors_origins
      allow_methods = ["GET", "POST"]
      allow_headers = ["authorization", "content-encoding", "content-type", "idempotency-key", "traceparent"]
      max_age       = 3600
    }
  }
}

resource "aws_apigatewayv2_integration" "function" {
  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "AWS_PROXY"
  integration_uri        = var.function_invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_authorizer" "jwt" {
  count = var.jwt == null ? 0 : 1

  api_id           = aws_apigatewayv2_api.this.id
  name             = "jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.jwt.issuer
    audience = var.jwt.audience
  }
}

resource "aws_apigatewayv2_route" "this" {
  #checkov:skip=CKV_AWS_309:Who may call is the variable jwt; health and the API's description are public on purpose.
  for_each = local.routes

  api_id    = aws_apigatewayv2_api.this.id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.function.id}"

  authorization_type   = local.is_protected[each.key] ? "JWT" : "NONE"
  authorizer_id        = local.is_protected[each.key] ? aws_apigatewayv2_authorizer.jwt[0].id : null
  authorization_scopes = local.is_protected[each.key] ? var.jwt.scopes : null
}

locals {
  is_protected = { for route in local.routes : route => var.jwt != null && !contains(local.public_routes, route) }
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    detailed_metrics_enabled = true
    throttling_rate_limit    = var.throttle.rate
    throttling_burst_limit   = var.throttle.burst
  }

  dynamic "route_settings" {
    for_each = var.throttle.routes
    content {
      route_key                = route_settings.key
      detailed_metrics_enabled = true
      throttling_rate_limit    = route_settings.value.rate
      throttling_burst_limit   = route_settings.value.burst
    }
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format = jsonencode({
      time               = "$context.requestTimeEpoch"
      request_id         = "$context.requestId"
      source_ip          = "$context.identity.sourceIp"
      method             = "$context.httpMethod"
      route              = "$context.routeKey"
      path               = "$context.path"
      status             = "$context.status"
      protocol           = "$context.protocol"
      response_bytes     = "$context.responseLength"
      latency_ms         = "$context.responseLatency"
      function_ms        = "$context.integrationLatency"
      function_status    = "$context.integrationStatus"
      function_request   = "$context.integration.requestId"
      error              = "$context.error.message"
      function_error     = "$context.integrationErrorMessage"
      authorizer_error   = "$context.authorizer.error"
      authorizer_subject = "$context.authorizer.claims.sub"
    })
  }

  # Settings of a route that does not exist are refused.
  depends_on = [aws_apigatewayv2_route.this]

  lifecycle {
    precondition {
      condition     = length(local.unknown_throttles) == 0
      error_message = "throttle.routes has routes that the API does not: ${join(", ", local.unknown_throttles)}."
    }
  }
}

resource "aws_cloudwatch_log_group" "access" {
  name              = "/millrace/${var.name}/access"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

# For this API alone: another one cannot call the function.
resource "aws_lambda_permission" "api" {
  statement_id  = "api-gateway"
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  function_name = var.function_name
  qualifier     = var.function_alias
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/*/*"
}

resource "aws_apigatewayv2_domain_name" "this" {
  count = var.domain == null ? 0 : 1

  domain_name = var.domain.name

  domain_name_configuration {
    certificate_arn = var.domain.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "this" {
  count = var.domain == null ? 0 : 1

  api_id      = aws_apigatewayv2_api.this.id
  domain_name = aws_apigatewayv2_domain_name.this[0].id
  stage       = aws_apigatewayv2_stage.default.id
}

resource "aws_route53_record" "this" {
  count = try(var.domain.zone_id, null) == null ? 0 : 1

  zone_id = var.domain.zone_id
  name    = var.domain.name
  type    = "A"

  alias {
    name                   = aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].target_domain_name
    zone_id                = aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].hosted_zone_id
    evaluate_target_health = false
  }
}
