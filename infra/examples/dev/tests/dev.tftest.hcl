mock_provider "aws" {
  source = "../../tests/mock"
}

variables {
  dist      = "../../tests/dist"
  image_tag = "0.1.0"
}

run "dev" {
  assert {
    condition     = output.url == "https://mock.execute-api.eu-central-1.amazonaws.com" && output.topics.outcome == "applied"
    error_message = "It has an API and its topics."
  }
}
