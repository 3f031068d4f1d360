mock_provider "aws" {
  source = "../../tests/mock"
}

variables {
  name                = "millrace"
  openapi             = "{\"paths\": {\"/health\": {\"get\": {}}, \"/events\": {\"post\": {}}, \"/events/{id}\": {\"get\": {}}}}"
  function_name       = "millrace-api"
  function_alias      = "live"
  function_invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:123456789012:function:millrace-api:live/invocations"
  kms_key_arn         = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "open" {
  assert {
    condition     = toset(keys(aws_apigatewayv2_route.this)) == toset(["GET /health", "POST /events", "GET /events/{id}"])
    error_message = "An operation is a route."
  }

  assert {
    condition     = alltrue([for route in aws_apigatewayv2_route.this : route.authorization_type == "NONE"])
    error_message = "Without jwt no route asks for a token."
  }

  assert {
    condition     = aws_lambda_permission.api.source_arn == "arn:aws:execute-api:eu-central-1:123456789012:mock/*/*" && aws_lambda_permission.api.qualifier == "live"
    error_message = "This API alone may call the function, by its alias."
  }

  assert {
    condition     = aws_apigatewayv2_stage.default.default_route_settings[0].throttling_rate_limit == 2000 && aws_apigatewayv2_stage.default.default_route_settings[0].throttling_burst_limit == 1000
    error_message = "Every route is throttled."
  }

  assert {
    condition     = alltrue([for field in ["request_id", "route", "status", "latency_ms"] : contains(keys(jsondecode(aws_apigatewayv2_stage.default.access_log_settings[0].format)), field)])
    error_message = "The access log is JSON."
  }
}

run "with_tokens_and_a_domain" {
  variables {
    jwt          = { issuer = "https://login.example/", audience = ["millrace"], scopes = ["events"] }
    domain       = { name = "events.example", certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/mock", zone_id = "Z1" }
    cors_origins = ["https://shop.example"]
    throttle     = { routes = { "POST /events" = { rate = 50, burst = 20 } } }
  }

  assert {
    condition     = { for key, route in aws_apigatewayv2_route.this : key => route.authorization_type } == { "GET /health" = "NONE", "POST /events" = "JWT", "GET /events/{id}" = "JWT" }
    error_message = "Every route but the public ones asks for a token."
  }

  assert {
    condition     = aws_apigatewayv2_route.this["POST /events"].authorization_scopes == toset(["events"])
    error_message = "The token needs the scopes."
  }

  assert {
    condition     = aws_apigatewayv2_api.this.disable_execute_api_endpoint && output.url == "https://events.example" && length(aws_route53_record.this) == 1
    error_message = "With a domain there is one way in: ${output.url}."
  }

  assert {
    condition     = contains(aws_apigatewayv2_api.this.cors_configuration[0].allow_headers, "idempotency-key")
    error_message = "A page may send an Idempotency-Key."
  }

  assert {
    condition     = [for settings in aws_apigatewayv2_stage.default.route_settings : settings.throttling_rate_limit if settings.route_key == "POST /events"] == [50]
    error_message = "A route has its own limit."
  }
}

run "refuses_a_throttle_of_no_route" {
  command = plan
  variables {
    throttle = { routes = { "POST /event" = { rate = 50, burst = 20 } } }
  }
  expect_failures = [aws_apigatewayv2_stage.default]
}

run "refuses_an_issuer_without_tls" {
  command = plan
  variables {
    jwt = { issuer = "http://login.example/", audience = ["millrace"] }
  }
  expect_failures = [var.jwt]
}
