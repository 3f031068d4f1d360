mock_provider "aws" {
  source = "../../tests/mock"
}

variables {
  name                   = "millrace"
  vpc_id                 = "vpc-1"
  subnet_ids             = ["subnet-1", "subnet-2", "subnet-3"]
  client_security_groups = { consumers = "sg-1" }
  kms_key_arn            = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "protected" {
  assert {
    condition     = aws_rds_cluster.this.deletion_protection && !aws_rds_cluster.this.skip_final_snapshot && aws_rds_cluster.this.final_snapshot_identifier == "millrace-final" && aws_rds_cluster.this.backup_retention_period == 14
    error_message = "The database refuses to be deleted, leaves a snapshot, and has backups."
  }

  assert {
    condition     = aws_rds_cluster.this.storage_encrypted && aws_rds_cluster.this.manage_master_user_password && aws_rds_cluster.this.master_password == null
    error_message = "It is encrypted, and its password is nobody's here."
  }

  assert {
    condition     = anytrue([for parameter in aws_rds_cluster_parameter_group.this.parameter : parameter.name == "rds.force_ssl" && parameter.value == "1"])
    error_message = "Connections without TLS are refused."
  }

  assert {
    condition     = output.url == "postgres://millrace@millrace.cluster-mock.eu-central-1.rds.amazonaws.com:5432/millrace?sslmode=require"
    error_message = "The URL has no password: ${output.url}."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.clients : rule.referenced_security_group_id == "sg-1" && rule.cidr_ipv4 == null])
    error_message = "Only the clients' security groups reach it."
  }
}

run "for_a_while" {
  variables {
    is_protected = false
    min_capacity = 0
    instances    = 1
  }

  assert {
    condition     = !aws_rds_cluster.this.deletion_protection && aws_rds_cluster.this.skip_final_snapshot && aws_rds_cluster.this.delete_automated_backups && aws_rds_cluster.this.serverlessv2_scaling_configuration[0].seconds_until_auto_pause == 300
    error_message = "destroy leaves nothing, and an idle database pauses."
  }
}

run "refuses_a_version_that_cannot_pause" {
  command = plan
  variables {
    engine_version = "15.4"
  }
  expect_failures = [var.engine_version]
}

run "refuses_more_least_than_most" {
  command = plan
  variables {
    min_capacity = 8
    max_capacity = 4
  }
  expect_failures = [var.max_capacity]
}
