# What a team has already, and the other edge.

mock_provider "aws" {
  source = "./tests/mock"
}

variables {
  region    = "eu-central-1"
  dist      = "./tests/dist"
  image_tag = "0.1.0"
}

run "load_balancer" {
  variables {
    edge = "load_balancer"
    load_balancer = {
      certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/mock"
      secrets         = { MILLRACE_API_KEYS_TEXT = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:keys-AbCdEf" }
    }
  }

  assert {
    condition     = local.services["edge"].environment["MILLRACE_TRUSTED_PROXIES"] == "1" && contains(keys(local.services["edge"].secrets), "MILLRACE_API_KEYS_TEXT")
    error_message = "The edge asks for keys, and a caller's address is what the load balancer says."
  }

  assert {
    condition     = !contains(keys(local.services["notifier"].secrets), "MILLRACE_API_KEYS_TEXT")
    error_message = "The edge's secrets are the edge's."
  }

  assert {
    condition     = output.url == "https://millrace-edge-mock.eu-central-1.elb.amazonaws.com" && output.routes == null
    error_message = "The edge is the load balancer: ${output.url}."
  }

  assert {
    condition     = contains(keys(module.consumers.services), "edge") && length(module.consumers.services["edge"].groups) == 0
    error_message = "millrace serve is a service without a consumer group."
  }

  assert {
    condition     = toset(keys(local.functions)) == toset(["alerts", "log-clean", "log-compact", "log-metrics", "topics"])
    error_message = "There is no function for an API."
  }

  assert {
    condition     = contains(keys(output.alarm_kinds), "api-5xx")
    error_message = "5xx of the load balancer raise the same alarm."
  }
}

run "serverless" {
  variables {
    kafka = { type = "serverless" }
  }

  assert {
    condition     = output.bootstrap_servers == "boot-mock:9098"
    error_message = "The brokers are the serverless cluster's: ${output.bootstrap_servers}."
  }

  assert {
    condition     = length([for kind in values(output.alarm_kinds) : kind if startswith(kind, "kafka-")]) == 0
    error_message = "A serverless cluster has no brokers to watch."
  }
}

run "express" {
  command = plan

  variables {
    kafka = { type = "express", instance_type = "express.m7g.large" }
  }

  assert {
    condition     = !contains(values(output.alarm_kinds), "kafka-disk") && contains(values(output.alarm_kinds), "kafka-offline-partitions")
    error_message = "Express brokers have no disks to watch."
  }
}

run "everything_exists" {
  variables {
    network = {
      existing = { vpc_id = "vpc-1", private_subnet_ids = ["subnet-1", "subnet-2", "subnet-3"] }
    }
    kafka = {
      existing = {
        bootstrap_servers = "one.example:9096,two.example:9096"
        cidrs             = ["10.1.0.0/16"]
        environment       = { KAFKA_SASL_MECHANISM = "SCRAM-SHA-512", KAFKA_SASL_USERNAME = "millrace" }
        secrets           = { KAFKA_SASL_PASSWORD = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:kafka-AbCdEf:password::" }
      }
    }
    database = {
      existing = { url = "postgres://millrace@db.example/millrace", secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-AbCdEf", cidrs = ["10.2.0.0/16"] }
    }
    edge   = "none"
    topics = { by_function = false }
    lake   = { has_stages = false }
    egress = { mail = { port = 587, cidr = "10.3.0.0/16" } }
  }

  assert {
    condition     = length(module.network) == 0 && length(module.kafka) == 0 && length(module.database) == 0
    error_message = "What exists is not made again."
  }

  assert {
    condition = toset([for rule in values(aws_vpc_security_group_egress_rule.existing) : "${rule.cidr_ipv4} ${rule.from_port}"]) == toset([
      "10.1.0.0/16 9096", "10.2.0.0/16 5432", "10.3.0.0/16 587",
    ])
    error_message = "The way to the brokers' and the database's ports is open, to what egress names, and nothing else."
  }

  assert {
    condition     = local.consumers["payments"].environment["KAFKA_SASL_MECHANISM"] == "SCRAM-SHA-512" && contains(keys(local.consumers["payments"].secrets), "KAFKA_SASL_PASSWORD")
    error_message = "Consumers authenticate as the cluster wants it."
  }

  assert {
    condition     = length(module.kafka_policy) == 0
    error_message = "Without IAM there is no policy for Kafka."
  }

  assert {
    condition     = length([for kind in values(output.alarm_kinds) : kind if contains(["lag", "lag-unknown", "cannot-catch-up"], kind)]) == 0
    error_message = "Without MSK's metrics nothing is said about lag."
  }
}

run "registered_partitions" {
  variables {
    lake = { partitions = "registered" }
  }

  assert {
    condition     = contains(keys(module.stage), "athena-refresh") && !local.functions["athena-refresh"].is_in_vpc
    error_message = "athena-refresh takes events, outside of the VPC."
  }

  assert {
    condition = [for key in local.stages["athena-refresh"].event_pattern.detail.object.key : key.prefix] == [
      for table in keys(jsondecode(file("../crates/lake/tables.json"))) : "${table}/"
    ]
    error_message = "The files of each table start it."
  }

  assert {
    condition = local.functions["athena-refresh"].environment["MILLRACE_ATHENA_DATABASE"] == module.tables[0].database && local.functions["athena-refresh"].environment["MILLRACE_ATHENA_WORKGROUP"] == module.tables[0].workgroup && alltrue([
      for statement in jsondecode(local.stage_policies["athena-refresh"]).Statement :
      !contains(flatten([statement.Action]), "s3:PutObject") || statement.Resource == ["${aws_s3_bucket.data.arn}/queries/*"]
    ])
    error_message = "It adds partitions by queries of the lake's workgroup, and writes nothing but their results."
  }
}

run "a_dashboard" {
  variables {
    quicksight = { principals = ["arn:aws:quicksight:eu-central-1:123456789012:group/default/operations"] }
  }

  assert {
    condition     = output.quicksight_dashboard == "millrace-logs"
    error_message = "The lake has a dashboard where that is asked for: ${coalesce(output.quicksight_dashboard, "none")}."
  }
}

run "topics_by_terraform" {
  command = plan

  variables {
    topics = { by_function = false }
  }

  assert {
    condition     = length(aws_lambda_invocation.topics) == 0 && join(",", keys(module.function)) == "alerts,api,log-clean,log-compact,log-metrics"
    error_message = "Without the function nothing makes topics here."
  }
}

run "a_function_that_makes_topics_in_an_existing_kafka" {
  command = plan

  variables {
    kafka    = { existing = { bootstrap_servers = "one.example:9092", cidrs = ["10.1.0.0/16"] } }
    database = { existing = { url = "postgres://millrace@db.example/millrace", cidrs = ["10.2.0.0/16"] } }
  }

  assert {
    condition = toset([for key in keys(aws_vpc_security_group_egress_rule.existing) : key if startswith(key, "topics/")]) == toset([
      "topics/Kafka/9092/10.1.0.0/16",
    ])
    error_message = "The function topics reaches Kafka, and not the database."
  }
}

run "search" {
  variables {
    search = { storage_gib = 200, retain_days = 14 }
  }

  assert {
    condition = {
      for name, value in local.services["log-indexer"].environment : name => value if startswith(name, "MILLRACE_INDEX_")
    } == { MILLRACE_INDEX_TO = module.search[0].url, MILLRACE_INDEX_SIGN = "true", MILLRACE_INDEX_RETAIN = "14d" }
    error_message = "log-indexer writes to the domain, with signed requests."
  }

  assert {
    condition     = local.services["log-indexer"].policies.search == module.search[0].indexer_policy && module.consumers.services["log-indexer"].groups == tomap({ "millrace-log-indexer" = toset(["cleaned-logs"]) })
    error_message = "It may call the domain, and reads cleaned-logs."
  }

  assert {
    condition     = contains(keys(local.image_repositories), "millrace-log-indexer")
    error_message = "Its image has a repository."
  }

  assert {
    condition     = alltrue([for kind in ["search-red", "search-storage", "search-writes-blocked"] : contains(values(output.alarm_kinds), kind) && strcontains(file("../docs/runbook.md"), "\n## ${kind}\n")])
    error_message = "The domain has alarms, each with an entry in docs/runbook.md."
  }
}
