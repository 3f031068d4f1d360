mock_provider "aws" {
  source = "../../tests/mock"
}

variables {
  name               = "millrace"
  region             = "eu-central-1"
  vpc_id             = "vpc-1"
  subnet_ids         = ["subnet-1", "subnet-2", "subnet-3"]
  kms_key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  kafka_cluster_name = "events"

  services = {
    notifier = {
      image       = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/millrace/millrace-notifier:0.1.0"
      program     = "/usr/bin/millrace-notifier"
      memory      = 768
      max         = 10
      environment = { MILLRACE_LOG = "info" }
      secrets     = { PASSWORD = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:kafka-AbCdEf:password::" }
      policies    = { kafka = "{}" }
      scaling     = { groups = { "millrace-notifier" = ["notifications", "payments"] }, partitions = 6, lag_per_task = 5000 }
    }
    edge = {
      image         = "registry.example/millrace:0.1.0"
      program       = "/usr/bin/millrace"
      command       = ["serve", "--linger", "5ms"]
      load_balancer = { target_group_arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/edge/1", port = 8080 }
    }
    operator = {
      image        = "registry.example/millrace:0.1.0"
      program      = "/usr/bin/millrace"
      command      = ["topology"]
      is_on_demand = true
    }
  }
}

run "containers" {
  assert {
    condition = alltrue([
      for task in aws_ecs_task_definition.this : alltrue([
        for container in jsondecode(task.container_definitions) :
        container.readonlyRootFilesystem && container.user == "65532:65532" && container.linuxParameters.capabilities.drop == ["ALL"] && container.stopTimeout >= 35
      ])
    ])
    error_message = "A container has a read-only root, no privileges, and more time to stop than it needs."
  }

  assert {
    condition     = one(jsondecode(aws_ecs_task_definition.this["notifier"].container_definitions)).healthCheck.command == ["CMD", "/usr/bin/millrace-notifier", "--health-check"]
    error_message = "A consumer's health is asked for by its own program."
  }

  assert {
    condition     = one(jsondecode(aws_ecs_task_definition.this["edge"].container_definitions)).healthCheck.command == ["CMD", "/usr/bin/millrace", "serve", "--health-check"]
    error_message = "The edge's too, by its sub-command."
  }

  assert {
    condition     = contains(one(jsondecode(aws_ecs_task_definition.this["notifier"].container_definitions)).environment, { name = "AWS_REGION", value = "eu-central-1" })
    error_message = "IAM tokens for Kafka need the region."
  }

  assert {
    condition     = one(jsondecode(aws_ecs_task_definition.this["notifier"].container_definitions)).portMappings == [] && one(jsondecode(aws_ecs_task_definition.this["edge"].container_definitions)).portMappings[0].hostPort == 0
    error_message = "Only the edge has a port, and any port of the host."
  }

  assert {
    condition     = alltrue([for service in aws_ecs_service.this : service.deployment_circuit_breaker[0].enable && service.deployment_circuit_breaker[0].rollback])
    error_message = "A deployment that does not start is rolled back."
  }
}

run "instances" {
  assert {
    condition     = aws_launch_template.this.metadata_options[0].http_tokens == "required" && aws_launch_template.this.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "Only IMDSv2, and no container reaches it."
  }

  assert {
    condition     = alltrue([for device in aws_launch_template.this.block_device_mappings : device.ebs[0].encrypted == "true"])
    error_message = "Disks are encrypted."
  }

  assert {
    condition     = strcontains(aws_launch_template.this.image_id, "/arm64/") && aws_ecs_task_definition.this["notifier"].runtime_platform[0].cpu_architecture == "ARM64"
    error_message = "Graviton instances get Graviton's image and tasks."
  }

  assert {
    condition     = aws_autoscaling_group.this.protect_from_scale_in && aws_ecs_capacity_provider.this.auto_scaling_group_provider[0].managed_termination_protection == "ENABLED" && aws_ecs_capacity_provider.this.auto_scaling_group_provider[0].managed_draining == "ENABLED"
    error_message = "No instance goes while tasks run on it."
  }
}

run "roles" {
  assert {
    condition = one([
      for statement in jsondecode(aws_iam_role_policy.execution["notifier"].policy).Statement : statement if statement.Sid == "Secrets"
    ]).Resource == ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:kafka-AbCdEf"]
    error_message = "A task's start may read its own secrets, and no others: ${aws_iam_role_policy.execution["notifier"].policy}."
  }

  assert {
    condition = one([
      for statement in jsondecode(aws_iam_role_policy.execution["notifier"].policy).Statement : statement if statement.Sid == "Pull"
    ]).Resource == ["arn:aws:ecr:eu-central-1:123456789012:repository/millrace/millrace-notifier"]
    error_message = "It may pull its own image."
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.execution["edge"].policy, "ecr:") && !strcontains(aws_iam_role_policy.execution["edge"].policy, "secretsmanager:")
    error_message = "An image of another registry needs nothing of ECR, and a service without secrets reads none."
  }

  assert {
    condition     = keys(aws_iam_role_policy.task) == ["notifier/kafka"]
    error_message = "A task may do what its own policies say."
  }
}

run "scaling" {
  assert {
    condition     = aws_appautoscaling_target.this["notifier"].max_capacity == 6
    error_message = "No more tasks than partitions."
  }

  assert {
    condition     = local.scaling_expression["notifier"] == "IF(tasks>=(m0/IF(x0>0,x0,1)+m1/IF(x1>0,x1,1)) AND (m0+m1)/tasks>5000,5000,(m0+m1)/tasks)"
    error_message = "Lag a task, but no more than the target where more tasks would not help: ${local.scaling_expression["notifier"]}."
  }

  # A missing metric makes the expression missing: FILL, or a default, would scale on a number that nobody measured.
  assert {
    condition     = !strcontains(local.scaling_expression["notifier"], "FILL")
    error_message = "Nothing may stand in for a metric that is missing."
  }

  assert {
    condition = toset([
      for metric in aws_appautoscaling_policy.lag["notifier"].target_tracking_scaling_policy_configuration[0].customized_metric_specification[0].metrics :
      join(" ", [for dimension in metric.metric_stat[0].metric[0].dimensions : dimension.value if dimension.name == "Topic"])
      if startswith(metric.id, "m")
    ]) == toset(["notifications", "payments"])
    error_message = "Both topics of the group count."
  }

  assert {
    condition     = keys(aws_appautoscaling_policy.processor) == ["edge"]
    error_message = "What has no consumer group scales on processor load."
  }
}

run "without_lag" {
  variables {
    kafka_cluster_name = null
  }

  assert {
    condition     = length(aws_appautoscaling_policy.lag) == 0 && aws_appautoscaling_target.this["notifier"].min_capacity == 1
    error_message = "Without MSK's metrics a consumer is not scaled, and has its least number of tasks."
  }
}

run "refuses_mixed_architectures" {
  command = plan
  variables {
    instances = { types = ["m7g.large", "m7i.large"] }
  }
  expect_failures = [var.instances]
}

run "refuses_a_stop_time_out_that_kills" {
  command = plan
  variables {
    stop_timeout_seconds = 20
  }
  expect_failures = [var.stop_timeout_seconds]
}

run "refuses_no_task_at_all" {
  command = plan
  variables {
    services = { notifier = { image = "a:1", program = "/a", min = 0, max = 1 } }
  }
  expect_failures = [var.services]
}

run "nothing_runs_by_itself_that_is_on_demand" {
  assert {
    condition     = contains(keys(aws_ecs_task_definition.this), "operator") && !contains(keys(aws_ecs_service.this), "operator") && !contains(keys(aws_appautoscaling_target.this), "operator")
    error_message = "It has a task definition, and no service."
  }

  assert {
    condition     = one(jsondecode(aws_ecs_task_definition.this["operator"].container_definitions)).healthCheck == null
    error_message = "A command that ends has no health check."
  }

  assert {
    condition     = !contains(keys(output.services), "operator")
    error_message = "No alarm misses it."
  }
}

run "a_deployment_takes_no_task_away" {
  assert {
    condition     = alltrue([for service in aws_ecs_service.this : service.deployment_minimum_healthy_percent == 100 && service.deployment_maximum_percent == 200])
    error_message = "New tasks start before old ones stop."
  }
}
