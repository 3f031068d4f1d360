# An ECS cluster on an EC2 Auto Scaling group. ECS places, restarts, drains and rolls; nothing is scripted.

locals {
  is_arm       = can(regex("^[a-z]+[0-9]+g[a-z]*\\.", var.instances.types[0]))
  architecture = local.is_arm ? "arm64" : "x86_64"
  ami_path     = "/aws/service/ecs/optimized-ami/amazon-linux-2023${local.is_arm ? "/arm64" : ""}/recommended/image_id"

  running = { for name, service in var.services : name => service if !service.is_on_demand }

  # `millrace serve --health-check`, but `millrace-payments --health-check`.
  subcommand = { for name, service in var.services : name => [for index, word in service.command : word if index == 0 && !startswith(word, "-")] }
}

resource "aws_ecs_cluster" "this" {
  #checkov:skip=CKV_AWS_65:Container Insights bills a metric a task and dimension; the programs have /metrics, and the alarms need none of it.
  name = var.name
}

resource "aws_security_group" "instances" {
  name        = "${var.name}-consumers"
  description = "Instances of the consumers' Auto Scaling group"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-consumers" }
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.instances.id
  description       = "AWS services, and the notifier's destinations"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_launch_template" "this" {
  name_prefix            = "${var.name}-consumers-"
  update_default_version = true
  # Resolved when an instance starts: with the lifetime below, no instance is older than two weeks of patches.
  image_id               = "resolve:ssm:${local.ami_path}"
  vpc_security_group_ids = [aws_security_group.instances.id]

  user_data = base64encode(<<-END
    #!/bin/sh
    cat >>/etc/ecs/ecs.config <<'CONFIG'
    ECS_CLUSTER=${var.name}
    ECS_ENABLE_SPOT_INSTANCE_DRAINING=true
    ECS_CONTAINER_STOP_TIMEOUT=${var.stop_timeout_seconds}s
    ECS_DISABLE_PRIVILEGED=true
    CONFIG
  END
  )

  iam_instance_profile {
    arn = aws_iam_instance_profile.instance.arn
  }

  # IMDSv2 only, and one hop: no container reaches the instance's role.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  monitoring {
    enabled = true
  }

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_size           = var.instances.disk_gib
      volume_type           = "gp3"
      encrypted             = "true"
      delete_on_termination = "true"
    }
  }

  tag_specifications {
    resource_type = "instance"
    tags          = { Name = "${var.name}-consumers" }
  }

  tag_specifications {
    resource_type = "volume"
    tags          = { Name = "${var.name}-consumers" }
  }
}

resource "aws_autoscaling_group" "this" {
  name_prefix         = "${var.name}-consumers-"
  vpc_zone_identifier = var.subnet_ids
  min_size            = var.instances.min
  max_size            = var.instances.max

  # The capacity provider decides which instance goes, once it has no task left.
  protect_from_scale_in = true
  max_instance_lifetime = 14 * 24 * 3600
  capacity_rebalance    = var.instances.spot_percent > 0
  health_check_type     = "EC2"

  mixed_instances_policy {
    instances_distribution {
      on_demand_base_capacity                  = var.instances.on_demand_base
      on_demand_percentage_above_base_capacity = 100 - var.instances.spot_percent
      on_demand_allocation_strategy            = "prioritized"
      spot_allocation_strategy                 = "price-capacity-optimized"
    }

    launch_template {
      launch_template_specification {
        launch_template_id = aws_launch_template.this.id
        version            = aws_launch_template.this.latest_version
      }

      dynamic "override" {
        for_each = var.instances.types
        content {
          instance_type = override.value
        }
      }
    }
  }

  # ECS sets it where managed scaling is on; without the tag it is refused.
  tag {
    key                 = "AmazonECSManaged"
    value               = "true"
    propagate_at_launch = true
  }

  lifecycle {
    # Managed scaling sets it.
    ignore_changes = [desired_capacity]
  }
}

resource "aws_ecs_capacity_provider" "this" {
  # A name must not begin with aws, ecs or fargate.
  name = "group-${var.name}"

  auto_scaling_group_provider {
    auto_scaling_group_arn         = aws_autoscaling_group.this.arn
    managed_draining               = "ENABLED"
    managed_termination_protection = "ENABLED"

    managed_scaling {
      status          = "ENABLED"
      target_capacity = 100
    }
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = [aws_ecs_capacity_provider.this.name]

  default_capacity_provider_strategy {
    capacity_provider = aws_ecs_capacity_provider.this.name
    weight            = 1
  }
}

resource "aws_cloudwatch_log_group" "service" {
  for_each = var.services

  name              = "/millrace/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_ecs_task_definition" "this" {
  for_each = var.services

  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["EC2"]
  # The instance's network: an interface a task would limit an instance to a few tasks.
  network_mode       = "bridge"
  execution_role_arn = aws_iam_role.execution[each.key].arn
  task_role_arn      = aws_iam_role.task[each.key].arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = upper(local.architecture)
  }

  container_definitions = jsonencode([{
    name        = each.key
    image       = each.value.image
    essential   = true
    command     = each.value.command
    cpu         = each.value.cpu
    memory      = each.value.memory
    stopTimeout = var.stop_timeout_seconds

    user                   = "65532:65532"
    readonlyRootFilesystem = true
    linuxParameters        = { capabilities = { drop = ["ALL"] } }
    ulimits                = [{ name = "nofile", softLimit = 65536, hardLimit = 65536 }]

    # ECS does not read the image's own. A command that ends has none.
    healthCheck = each.value.is_on_demand ? null : {
      command     = concat(["CMD", each.value.program], local.subcommand[each.key], ["--health-check"])
      interval    = 15
      timeout     = 5
      retries     = 4
      startPeriod = 120
    }

    entryPoint = [each.value.program]

    environment = [
      for variable, value in merge({ AWS_REGION = var.region }, each.value.environment) : { name = variable, value = value }
    ]
    secrets = [for variable, arn in each.value.secrets : { name = variable, valueFrom = arn }]

    portMappings = each.value.load_balancer == null ? [] : [
      { containerPort = each.value.load_balancer.port, hostPort = 0, protocol = "tcp" }
    ]

    # A log that is not taken in time must not stop the work: what does not fit into the buffer is dropped.
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.service[each.key].name
        awslogs-region        = var.region
        awslogs-stream-prefix = "task"
        mode                  = "non-blocking"
        max-buffer-size       = "25m"
      }
    }
  }])
}

resource "aws_ecs_service" "this" {
  for_each = local.running

  name            = each.key
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.this[each.key].arn
  desired_count   = each.value.min

  # New tasks before old ones: a group of one member is not without one.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  propagate_tags                     = "SERVICE"
  availability_zone_rebalancing      = "ENABLED"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  capacity_provider_strategy {
    capacity_provider = aws_ecs_capacity_provider.this.name
    weight            = 1
  }

  # Apart by zone first, then close together: fewer instances.
  ordered_placement_strategy {
    type  = "spread"
    field = "attribute:ecs.availability-zone"
  }

  ordered_placement_strategy {
    type  = "binpack"
    field = "memory"
  }

  dynamic "load_balancer" {
    for_each = each.value.load_balancer == null ? [] : [each.value.load_balancer]
    content {
      target_group_arn = load_balancer.value.target_group_arn
      container_name   = each.key
      container_port   = load_balancer.value.port
    }
  }

  lifecycle {
    # Scaling sets it.
    ignore_changes = [desired_count]
  }

  # A service whose tasks have no permission, or no instance, does not start.
  depends_on = [aws_ecs_cluster_capacity_providers.this, aws_iam_role_policy.execution, aws_iam_role_policy.task]
}
