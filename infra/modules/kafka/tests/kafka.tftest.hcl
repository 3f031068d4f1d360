mock_provider "aws" {
  source = "../../tests/mock"
}

variables {
  name                   = "millrace"
  vpc_id                 = "vpc-1"
  subnet_ids             = ["subnet-1", "subnet-2", "subnet-3"]
  client_security_groups = { consumers = "sg-1", api = "sg-2" }
  kms_key_arn            = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "provisioned" {
  assert {
    condition     = aws_msk_configuration.this[0].server_properties == "auto.create.topics.enable=false\ndefault.replication.factor=3\nmin.insync.replicas=2\nunclean.leader.election.enable=false\n"
    error_message = "Two of three copies are acknowledged, and no copy that lags becomes the leader: ${aws_msk_configuration.this[0].server_properties}."
  }

  assert {
    condition     = aws_msk_cluster.this[0].encryption_info[0].encryption_in_transit[0].client_broker == "TLS" && aws_msk_cluster.this[0].encryption_info[0].encryption_at_rest_kms_key_arn == var.kms_key_arn
    error_message = "Records are encrypted on the way and at rest."
  }

  assert {
    condition     = aws_msk_cluster.this[0].client_authentication[0].sasl[0].iam && !aws_msk_cluster.this[0].client_authentication[0].unauthenticated
    error_message = "Clients authenticate with IAM, and none without."
  }

  assert {
    condition     = toset([for rule in aws_vpc_security_group_ingress_rule.clients : rule.referenced_security_group_id]) == toset(["sg-1", "sg-2"]) && alltrue([for rule in aws_vpc_security_group_ingress_rule.clients : rule.cidr_ipv4 == null])
    error_message = "Only the clients' security groups reach the brokers."
  }

  assert {
    condition     = aws_appautoscaling_policy.storage[0].target_tracking_scaling_policy_configuration[0].disable_scale_in
    error_message = "Storage grows and never shrinks."
  }
}

run "express" {
  variables {
    type          = "express"
    instance_type = "express.m7g.large"
  }

  assert {
    condition     = aws_msk_configuration.this[0].server_properties == "auto.create.topics.enable=false\n" && length(aws_appautoscaling_policy.storage) == 0 && length(aws_msk_cluster.this[0].broker_node_group_info[0].storage_info) == 0
    error_message = "Express brokers refuse these properties and have no volumes."
  }
}

run "serverless" {
  variables {
    type = "serverless"
  }

  assert {
    condition     = length(aws_msk_cluster.this) == 0 && output.bootstrap_servers == "boot-mock:9098"
    error_message = "A serverless cluster has no brokers of its own."
  }
}

run "refuses_brokers_of_the_other_kind" {
  command = plan
  variables {
    type = "express"
  }
  expect_failures = [aws_msk_cluster.this]
}

run "refuses_brokers_that_no_three_zones_share" {
  command = plan
  variables {
    brokers = 4
  }
  expect_failures = [var.brokers]
}

run "refuses_storage_that_would_shrink" {
  command = plan
  variables {
    storage_gib     = 500
    storage_max_gib = 100
  }
  expect_failures = [var.storage_max_gib]
}

run "refuses_an_old_kafka" {
  command = plan
  variables {
    kafka_version = "2.8.1"
  }
  expect_failures = [var.kafka_version]
}
