# Wrong variables fail at the plan, by their name.

mock_provider "aws" {
  source = "./tests/mock"
}

variables {
  region    = "eu-central-1"
  dist      = "./tests/dist"
  image_tag = "0.1.0"
}

run "no_artifacts" {
  command = plan
  variables {
    dist = "./tests"
  }
  expect_failures = [var.dist]
}

run "a_tag_that_changes" {
  command = plan
  variables {
    image_tag = "latest"
  }
  expect_failures = [var.image_tag]
}

run "a_name_that_ecs_refuses" {
  command = plan
  variables {
    name = "ecs-events"
  }
  expect_failures = [var.name]
}

run "a_consumer_that_does_not_exist" {
  command = plan
  variables {
    consumers = { notifer = { min = 2 } }
  }
  expect_failures = [var.consumers]
}

run "a_load_balancer_without_certificate" {
  command = plan
  variables {
    edge = "load_balancer"
  }
  expect_failures = [var.load_balancer]
}

run "secrets_that_do_not_reach_a_function" {
  command = plan
  variables {
    kafka = {
      existing = {
        bootstrap_servers = "one.example:9096"
        cidrs             = ["10.1.0.0/16"]
        secrets           = { KAFKA_SASL_PASSWORD = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:kafka-AbCdEf" }
      }
    }
  }
  expect_failures = [var.kafka]
}

run "a_password_in_the_url" {
  command = plan
  variables {
    database = { existing = { url = "postgres://millrace:secret@db.example/millrace", cidrs = ["10.2.0.0/16"] } }
  }
  expect_failures = [var.database]
}

run "brokers_without_a_port" {
  command = plan
  variables {
    kafka = { existing = { bootstrap_servers = "one.example", cidrs = ["10.1.0.0/16"] } }
    edge  = "none"
  }
  expect_failures = [var.kafka]
}

run "a_hash_that_is_none" {
  command = plan
  variables {
    function_sha256 = { api = "v2" }
  }
  expect_failures = [var.function_sha256]
}

run "more_connections_than_the_brokers_take" {
  command = plan
  variables {
    kafka = { instance_type = "kafka.t3.small" }
    api   = { reserved_concurrency = 500 }
  }
  expect_failures = [var.api]
}

run "two_subnets" {
  command = plan
  variables {
    network = { existing = { vpc_id = "vpc-1", private_subnet_ids = ["subnet-1", "subnet-2"] } }
  }
  expect_failures = [var.network]
}

run "a_retention_that_cloudwatch_has_not" {
  command = plan
  variables {
    log_retention_days = 10
  }
  expect_failures = [var.log_retention_days]
}

run "a_function_that_does_not_exist" {
  command = plan
  variables {
    function_sha256 = { apii = "5cedbab18aa285c6b386e734449899a3d472503fb12a9cc962a50e9704e6cbd7" }
  }
  expect_failures = [var.function_sha256]
}

run "secrets_that_do_not_reach_the_function_topics" {
  command = plan
  variables {
    edge          = "load_balancer"
    load_balancer = { certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/mock" }
    kafka = {
      existing = {
        bootstrap_servers = "one.example:9096"
        cidrs             = ["10.1.0.0/16"]
        secrets           = { KAFKA_SASL_PASSWORD = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:kafka-AbCdEf" }
      }
    }
  }
  expect_failures = [var.kafka]
}

run "a_load_balancer_without_public_subnets" {
  command = plan
  variables {
    edge          = "load_balancer"
    load_balancer = { certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/mock" }
    network       = { existing = { vpc_id = "vpc-1", private_subnet_ids = ["subnet-1", "subnet-2", "subnet-3"] } }
  }
  expect_failures = [var.network]
}

run "an_api_that_takes_no_call" {
  command = plan
  variables {
    api = { reserved_concurrency = 0 }
  }
  expect_failures = [var.api]
}

run "an_issuer_that_is_no_url" {
  command = plan
  variables {
    api = { jwt = { issuer = "https://", audience = ["millrace"] } }
  }
  expect_failures = [var.api]
}

run "no_copies" {
  command = plan
  variables {
    topics = { replication = 0 }
  }
  expect_failures = [var.topics]
}

run "a_registry_with_a_scheme" {
  command = plan
  variables {
    image_registry = "https://ghcr.io/example"
  }
  expect_failures = [var.image_registry]
}

run "an_address_that_is_none" {
  command = plan
  variables {
    alarm_emails = ["ops"]
  }
  expect_failures = [var.alarm_emails]
}

run "a_consumer_that_never_scales" {
  command = plan
  variables {
    consumers = { notifier = { lag_per_task = 0 } }
  }
  expect_failures = [var.consumers]
}

run "more_tasks_at_least_than_at_most" {
  command = plan
  variables {
    consumers = { notifier = { min = 3, max = 2 } }
  }
  expect_failures = [var.consumers]
}

run "a_region_of_another_partition" {
  command = plan
  variables {
    region = "cn-north-1"
  }
  expect_failures = [var.region]
}

run "a_way_out_to_nowhere" {
  command = plan
  variables {
    egress = { mail = { port = 587, cidr = "mail.example" } }
  }
  expect_failures = [var.egress]
}

run "a_search_without_stages" {
  command = plan
  variables {
    search = {}
    lake   = { has_stages = false }
  }
  expect_failures = [var.search]
}
