# The bundle with its defaults: everything is made, API Gateway is the edge.

mock_provider "aws" {
  source = "./tests/mock"
}

variables {
  region    = "eu-central-1"
  dist      = "./tests/dist"
  image_tag = "0.1.0"
}

run "defaults" {
  assert {
    condition     = output.url == "https://mock.execute-api.eu-central-1.amazonaws.com"
    error_message = "The API's address must be its endpoint, not ${output.url}."
  }

  assert {
    condition = output.routes == toset(flatten([
      for path, operations in jsondecode(file("../crates/edge/openapi.json")).paths : [for method in keys(operations) : "${upper(method)} ${path}"]
    ]))
    error_message = "The routes must be the OpenAPI document's operations: ${join(", ", output.routes)}."
  }

  assert {
    condition     = jsondecode(aws_lambda_invocation.topics[0].input).catalogue == jsondecode(file("../crates/domain/topics.json"))
    error_message = "The topics that are applied must be the catalogue's."
  }

  assert {
    condition     = jsondecode(aws_lambda_invocation.topics[0].input).replication == 3 && !jsondecode(aws_lambda_invocation.topics[0].input).shorten_retention
    error_message = "Topics have three copies, and no retention becomes shorter, unless that is said."
  }

  assert {
    condition     = alltrue([for kind in values(output.alarm_kinds) : strcontains(file("../docs/runbook.md"), "\n## ${kind}\n")])
    error_message = "Alarms without an entry in docs/runbook.md: ${join(", ", [for kind in values(output.alarm_kinds) : kind if !strcontains(file("../docs/runbook.md"), "\n## ${kind}\n")])}."
  }

  assert {
    condition     = toset(keys(module.consumers.services)) == toset(["event-store", "log-shipper", "login-insights", "notifier", "payments"])
    error_message = "The consumers are services: ${join(", ", keys(module.consumers.services))}."
  }

  # Each group of the catalogue is read by one service, which scales on it. log-indexer comes with a domain to search.
  assert {
    condition = toset(flatten([for service in values(module.consumers.services) : keys(service.groups)])) == toset([
      for consumer in jsondecode(file("../crates/domain/topics.json")).consumers : "millrace-${consumer.name}" if !try(consumer.is_optional, false)
    ])
    error_message = "Every consumer of the catalogue must be run by a service."
  }

  assert {
    condition = alltrue([
      for service in values(module.consumers.services) : service.max <= min([
        for topics in values(service.groups) : max([for topic in topics : local.partitions[topic]]...)
      ]...)
    ])
    error_message = "No service may scale to more tasks than its topics have partitions."
  }

  assert {
    condition     = length(aws_vpc_security_group_egress_rule.existing) == 0
    error_message = "Without an existing cluster or database, nothing is opened to an address range."
  }
}

run "the_stages_of_the_lake" {
  assert {
    condition = local.stages["log-clean"].event_pattern == {
      source      = ["aws.s3"]
      detail-type = ["Object Created"]
      detail      = { bucket = { name = [aws_s3_bucket.data.bucket] }, object = { key = [{ prefix = "raw/" }] } }
    }
    error_message = "Raw objects of the bucket start log-clean, however they were made, and no others."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(local.stage_policies["log-clean"]).Statement :
      !contains(flatten([statement.Action]), "s3:DeleteObject") || !strcontains(jsonencode(statement.Resource), "/raw/")
    ])
    error_message = "log-clean never deletes a raw object."
  }

  assert {
    condition     = !contains(keys(local.functions), "athena-refresh") && alltrue([for name in keys(local.stages) : contains(keys(local.functions), name) && local.functions[name].environment["MILLRACE_LAKE"] == "s3://${aws_s3_bucket.data.bucket}"])
    error_message = "Each stage is a function that knows the lake; projected partitions need none that registers them."
  }

  assert {
    condition     = local.functions["log-metrics"].environment["MILLRACE_ALERT_DELAY"] == "240s" && local.stages["log-metrics"].schedule == "rate(1 minute)"
    error_message = "What is unusual is looked for once a minute, and not before the rows have come."
  }

  assert {
    condition     = toset(keys(module.schedule)) == toset(["log-compact", "log-metrics"]) && toset(keys(module.stage)) == toset(["alerts", "log-clean", "log-metrics"]) && !local.functions["log-compact"].is_in_vpc
    error_message = "log-compact is called by its schedule alone, and has nothing to do with Kafka."
  }

  assert {
    condition = !local.functions["alerts"].is_in_vpc && !contains(keys(local.functions["alerts"].environment), "KAFKA_BOOTSTRAP_SERVERS") && local.functions["alerts"].environment["MILLRACE_ALERTS_TOPIC"] == module.alerts.topic_arn && alltrue([
      for statement in jsondecode(local.stage_policies["alerts"]).Statement : !strcontains(jsonencode(statement.Resource), "/cleaned/") && statement.Sid != "Bus"
    ])
    error_message = "alerts reaches chats, reads no rows, and has nothing to do with Kafka."
  }
}

run "what_stages_may_do" {
  assert {
    condition = {
      for name, policy in local.stage_policies : name => toset(flatten([
        for statement in jsondecode(policy).Statement : [for resource in flatten([statement.Resource]) : trimprefix(resource, "${aws_s3_bucket.data.arn}/")]
        if contains(flatten([statement.Action]), "s3:DeleteObject")
      ]))
    } == { log-clean = toset(["cleaned/*", "quarantine/*"]), log-compact = toset(["cleaned/*"]), log-metrics = toset([]), alerts = toset([]), athena-refresh = toset([]) }
    error_message = "Only log-clean and log-compact delete, and only what stages make."
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(local.stage_policies["log-metrics"]).Statement : statement.Resource if contains(flatten([statement.Action]), "s3:PutObject")
    ])) == toset([for objects in ["metrics/*", "stages/metrics/*", "stages/alerts.json"] : "${aws_s3_bucket.data.arn}/${objects}"])
    error_message = "log-metrics writes metrics and what it has told."
  }

  assert {
    condition     = alltrue([for policy in values(local.stage_policies) : length(distinct(jsondecode(policy).Statement[*].Sid)) == length(jsondecode(policy).Statement)])
    error_message = "IAM refuses a policy in which two statements have one Sid."
  }

  assert {
    condition     = contains(local.stages["alerts"].event_pattern.detail-type, "Stage Failed") && strcontains(file("../docs/runbook.md"), "\n## stage-failed-for-good\n")
    error_message = "What fails for good is told, with an entry of the runbook."
  }
}

run "the_password_stays_in_its_secret" {
  assert {
    condition     = local.consumers["event-store"].environment["DATABASE_URL"] == "postgres://millrace@millrace.cluster-mock.eu-central-1.rds.amazonaws.com:5432/millrace?sslmode=require&secret=arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!cluster-mock-AbCdEf"
    error_message = "Programs are told where the password is: ${local.consumers["event-store"].environment["DATABASE_URL"]}."
  }

  assert {
    condition     = !contains(keys(local.consumers["payments"].environment), "DATABASE_URL") && !contains(keys(local.consumers["payments"].policies), "database")
    error_message = "What has no database is told of none."
  }
}

run "may_do_on_kafka" {
  assert {
    condition = alltrue(flatten([
      for name, policy in module.kafka_policy : [
        for statement in jsondecode(policy.json).Statement : [
          for text in concat(statement.Action, statement.Resource) :
          !endswith(text, ":*") && text != "*" && (!endswith(text, "/*") || (name == "operator" && statement.Sid == "Describe" && strcontains(text, ":group/")))
        ]
      ]
    ]))
    error_message = "No action and no resource of a Kafka policy may be a bare wildcard, but for the groups that the operator looks at."
  }

  assert {
    condition = toset(one([for statement in jsondecode(module.kafka_policy["payments"].json).Statement : statement if statement.Sid == "Read"]).Resource) == toset([
      "arn:aws:kafka:eu-central-1:123456789012:topic/millrace/11111111-2222-3333-4444-555555555555-1/orders",
    ])
    error_message = "payments reads orders and nothing else."
  }

  assert {
    condition = toset([
      for arn in one([for statement in jsondecode(module.kafka_policy["payments"].json).Statement : statement if statement.Sid == "Write"]).Resource : element(split("/", arn), 3)
    ]) == toset(["orders.dlq", "payments"])
    error_message = "payments writes payments and the dead letters of what it reads."
  }

  assert {
    condition = one([for statement in jsondecode(module.kafka_policy["payments"].json).Statement : statement if statement.Sid == "Groups"]).Resource == [
      "arn:aws:kafka:eu-central-1:123456789012:group/millrace/11111111-2222-3333-4444-555555555555-1/millrace-payments",
    ]
    error_message = "payments joins its own group alone."
  }

  assert {
    condition     = toset([for name, policy in module.kafka_policy : name if strcontains(policy.json, "AlterTransactionalId")]) == toset(["login-insights", "operator", "payments"])
    error_message = "Only consumers that write in transactions, and replays, may have a transactional id."
  }

  # An action too few stops a program, and one too many is a right that nobody asked for.
  assert {
    condition = { for statement in jsondecode(module.kafka_policy["payments"].json).Statement : statement.Sid => join(" ", sort([for action in statement.Action : trimprefix(action, "kafka-cluster:")])) } == {
      Connect      = "Connect DescribeCluster WriteDataIdempotently"
      Read         = "DescribeTopic DescribeTopicDynamicConfiguration ReadData"
      Write        = "DescribeTopic DescribeTopicDynamicConfiguration WriteData"
      Groups       = "AlterGroup DescribeGroup"
      Transactions = "AlterTransactionalId DescribeTransactionalId"
    }
    error_message = "A consumer with transactions has these rights and no others."
  }

  assert {
    condition = { for statement in jsondecode(module.kafka_policy["topics"].json).Statement : statement.Sid => join(" ", sort([for action in statement.Action : trimprefix(action, "kafka-cluster:")])) } == {
      Connect    = "Connect DescribeCluster"
      Administer = "AlterTopic AlterTopicDynamicConfiguration CreateTopic DescribeTopic DescribeTopicDynamicConfiguration"
    }
    error_message = "The function topics has these rights and no others."
  }

  assert {
    condition     = toset(one([for statement in jsondecode(module.kafka_policy["api"].json).Statement : statement if statement.Sid == "Describe"]).Action) == toset(["kafka-cluster:DescribeGroup", "kafka-cluster:DescribeTopic"])
    error_message = "The edge may describe topics and groups, for GET /get_status."
  }

  assert {
    condition     = [for name, policy in module.kafka_policy : name if strcontains(policy.json, "CreateTopic")] == ["topics"]
    error_message = "Only the function topics makes topics."
  }

  assert {
    condition     = !strcontains(module.kafka_policy["api"].json, "ReadData")
    error_message = "The edge reads no records."
  }

  assert {
    condition = alltrue([
      for name in ["api", "edge"] : toset([
        for arn in one([for statement in jsondecode(module.kafka_policy[name].json).Statement : statement if statement.Sid == "Write"]).Resource : element(split("/", arn), 3)
      ]) == toset(["events", "notifications", "orders", "raw-logs", "user-login"])
    ])
    error_message = "The edge writes what is sent over HTTP: no payments, no insights, no dead letters."
  }
}

run "everything_at_rest_is_encrypted" {
  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.data.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
    error_message = "The bucket is encrypted with the key."
  }

  assert {
    condition     = alltrue([for repository in aws_ecr_repository.this : repository.encryption_configuration[0].kms_key == aws_kms_key.this.arn && repository.image_tag_mutability == "IMMUTABLE"])
    error_message = "Images are encrypted with the key, and their tags never change."
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "The key is rotated."
  }
}

# A service's own settings reach it; those of the others stay.
run "a_consumer_is_changed" {
  command = plan

  variables {
    consumers = {
      notifier = { memory = 1536, min = 2, max = 2, environment = { MILLRACE_MAX_IN_FLIGHT = "5000" } }
      payments = { is_enabled = false }
    }
    notifier_config = "[destinations.console]\ntype = \"console\"\n"
  }

  assert {
    condition     = module.consumers.services["notifier"].min == 2 && module.consumers.services["notifier"].max == 2
    error_message = "min and max are the variable's."
  }

  assert {
    condition     = local.consumers["notifier"].memory == 1536 && local.consumers["notifier"].cpu == 512
    error_message = "memory is the variable's, cpu the default."
  }

  assert {
    condition     = local.consumers["notifier"].environment["MILLRACE_MAX_IN_FLIGHT"] == "5000" && contains(keys(local.consumers["notifier"].environment), "DATABASE_URL")
    error_message = "The environment gets the variable's, and keeps its own."
  }

  assert {
    condition     = contains(keys(local.consumers["notifier"].secrets), "MILLRACE_NOTIFIER_CONFIG_TEXT")
    error_message = "notifier.toml reaches the notifier as a secret."
  }

  assert {
    condition     = !contains(keys(module.consumers.services), "payments")
    error_message = "A consumer that is switched off has no service."
  }
}

run "topics_grow" {
  command = plan

  variables {
    topics    = { partitions = 12 }
    consumers = { payments = { max = 20 } }
  }

  assert {
    condition     = alltrue([for topic in local.catalogue.topics : topic.partitions == 12]) && local.catalogue.dead_letters.partitions == 1
    error_message = "Every topic has as many partitions as asked for, and dead letters one."
  }

  assert {
    condition     = module.consumers.services["payments"].max == 12
    error_message = "A consumer may then have as many tasks."
  }
}

run "a_function_is_rolled_back" {
  command = plan

  variables {
    function_sha256 = { api = "5cedbab18aa285c6b386e734449899a3d472503fb12a9cc962a50e9704e6cbd7" }
  }

  assert {
    condition     = endswith(local.zips["api"], "/millrace-api-arm64-5cedbab18aa285c6.zip") && !strcontains(local.zips["topics"], "5cedbab18aa285c6")
    error_message = "The function that is named runs the artifact that is named: ${local.zips["api"]}."
  }
}
