mock_provider "aws" {
  source = "../../tests/mock"
}

variables {
  dist            = "../../tests/dist"
  image_tag       = "0.1.0"
  notifier_config = "[destinations.console]\ntype = \"console\"\n"
  alarm_emails    = ["ops@example.com"]
  runbook_url     = "https://docs.example/runbook"
  jwt             = { issuer = "https://login.example/", audience = ["millrace"] }
}

run "production" {
  assert {
    condition     = output.url == "https://mock.execute-api.eu-central-1.amazonaws.com" && output.topics.outcome == "applied"
    error_message = "It has an API and its topics."
  }
}
