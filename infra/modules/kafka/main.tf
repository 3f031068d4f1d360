# An MSK cluster whose clients authenticate with IAM over TLS: provisioned, Express or Serverless.

locals {
  is_serverless  = var.type == "serverless"
  is_provisioned = var.type == "provisioned"

  # IAM's listener. Serverless has no other either.
  client_port = 9098

  # What a 2xx promises: three copies, of which two have acknowledged. `millrace topics apply` makes the topics. As a
  # sorted map, because another order of the lines would be an update of every broker.
  properties = {
    "auto.create.topics.enable"      = "false"
    "default.replication.factor"     = "3"
    "min.insync.replicas"            = "2"
    "unclean.leader.election.enable" = "false"
  }

  # Express brokers fix replication and leader election themselves and refuse these properties.
  express_properties = ["auto.create.topics.enable"]

  server_properties = join("", [
    for name, value in local.properties : "${name}=${value}\n"
    if local.is_provisioned || contains(local.express_properties, name)
  ])
}

resource "aws_security_group" "brokers" {
  name        = "${var.name}-kafka"
  description = "Kafka brokers"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-kafka" }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = var.client_security_groups

  security_group_id            = aws_security_group.brokers.id
  description                  = "Kafka with IAM from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = local.client_port
  to_port                      = local.client_port
}

resource "aws_vpc_security_group_egress_rule" "clients" {
  for_each = var.client_security_groups

  security_group_id            = each.value
  description                  = "Kafka with IAM"
  referenced_security_group_id = aws_security_group.brokers.id
  ip_protocol                  = "tcp"
  from_port                    = local.client_port
  to_port                      = local.client_port
}

resource "aws_cloudwatch_log_group" "brokers" {
  count = local.is_serverless ? 0 : 1

  name              = "/millrace/${var.name}/kafka"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_msk_configuration" "this" {
  count = local.is_serverless ? 0 : 1

  # Each type has properties of its own.
  name              = "${var.name}-${var.type}"
  server_properties = local.server_properties

  # The cluster moves to the new one first.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_msk_cluster" "this" {
  count = local.is_serverless ? 0 : 1

  cluster_name           = var.name
  kafka_version          = var.kafka_version
  number_of_broker_nodes = var.brokers

  broker_node_group_info {
    instance_type   = var.instance_type
    client_subnets  = var.subnet_ids
    security_groups = [aws_security_group.brokers.id]

    dynamic "storage_info" {
      for_each = local.is_provisioned ? [1] : []
      content {
        ebs_storage_info {
          volume_size = var.storage_gib
        }
      }
    }
  }

  client_authentication {
    sasl {
      iam = true
    }
    unauthenticated = false
  }

  configuration_info {
    arn      = aws_msk_configuration.this[0].arn
    revision = aws_msk_configuration.this[0].latest_revision
  }

  encryption_info {
    encryption_at_rest_kms_key_arn = var.kms_key_arn

    encryption_in_transit {
      client_broker = "TLS"
      in_cluster    = true
    }
  }

  open_monitoring {
    prometheus {
      jmx_exporter {
        enabled_in_broker = true
      }
      node_exporter {
        enabled_in_broker = true
      }
    }
  }

  logging_info {
    broker_logs {
      cloudwatch_logs {
        enabled   = true
        log_group = aws_cloudwatch_log_group.brokers[0].name
      }
    }
  }

  lifecycle {
    # Storage auto scaling grows it.
    ignore_changes = [broker_node_group_info[0].storage_info[0].ebs_storage_info[0].volume_size]

    precondition {
      condition     = startswith(var.instance_type, var.type == "express" ? "express." : "kafka.")
      error_message = "kafka instance_type ${var.instance_type} is not for type ${var.type}: express brokers are express.*, provisioned ones kafka.*."
    }
  }
}

resource "aws_appautoscaling_target" "storage" {
  count = local.is_provisioned ? 1 : 0

  service_namespace  = "kafka"
  scalable_dimension = "kafka:broker-storage:VolumeSize"
  resource_id        = aws_msk_cluster.this[0].arn
  min_capacity       = 1
  max_capacity       = var.storage_max_gib
}

resource "aws_appautoscaling_policy" "storage" {
  count = local.is_provisioned ? 1 : 0

  name               = "${var.name}-kafka-storage"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.storage[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.storage[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.storage[0].resource_id

  target_tracking_scaling_policy_configuration {
    # MSK cannot shrink a volume.
    disable_scale_in = true
    # Per cent of the volume.
    target_value = 60

    predefined_metric_specification {
      predefined_metric_type = "KafkaBrokerStorageUtilization"
    }
  }
}

resource "aws_msk_serverless_cluster" "this" {
  count = local.is_serverless ? 1 : 0

  cluster_name = var.name

  vpc_config {
    subnet_ids         = var.subnet_ids
    security_group_ids = [aws_security_group.brokers.id]
  }

  client_authentication {
    sasl {
      iam {
        enabled = true
      }
    }
  }
}
