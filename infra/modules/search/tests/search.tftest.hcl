mock_provider "aws" {
  source = "../../tests/mock"
}

variables {
  name                   = "millrace"
  account_id             = "123456789012"
  region                 = "eu-central-1"
  vpc_id                 = "vpc-1"
  subnet_ids             = ["subnet-1", "subnet-2", "subnet-3"]
  client_security_groups = { consumers = "sg-1" }
  kms_key_arn            = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "closed" {
  assert {
    condition     = aws_opensearch_domain.this.encrypt_at_rest[0].enabled && aws_opensearch_domain.this.encrypt_at_rest[0].kms_key_id == var.kms_key_arn && aws_opensearch_domain.this.node_to_node_encryption[0].enabled
    error_message = "Indices and what nodes tell each other are encrypted."
  }

  assert {
    condition     = aws_opensearch_domain.this.domain_endpoint_options[0].enforce_https && startswith(aws_opensearch_domain.this.domain_endpoint_options[0].tls_security_policy, "Policy-Min-TLS-1-2")
    error_message = "It takes HTTPS alone, TLS 1.2 or newer."
  }

  assert {
    condition = [for statement in jsondecode(aws_opensearch_domain.this.access_policies).Statement : [statement.Effect, statement.Principal.AWS, statement.Action]] == [
      ["Allow", "arn:aws:iam::123456789012:root", "es:ESHttp*"]
    ]
    error_message = "Only the account's own principals may call it, and only as their policies say."
  }

  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.clients : rule.referenced_security_group_id == "sg-1" && rule.cidr_ipv4 == null && rule.from_port == 443]) && length(aws_vpc_security_group_ingress_rule.cidrs) == 0
    error_message = "Only the clients' security groups reach it."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(output.indexer_policy).Statement :
      statement.Resource == "arn:aws:es:eu-central-1:123456789012:domain/millrace/*" && alltrue([for action in statement.Action : startswith(action, "es:ESHttp")])
    ])
    error_message = "log-indexer calls this domain, and changes nothing of it by AWS's API."
  }

  assert {
    condition     = output.url == "https://vpc-millrace-mock.eu-central-1.es.amazonaws.com" && output.domain_name == "millrace"
    error_message = "It is called by HTTPS: ${output.url}."
  }
}

run "in_three_zones" {
  assert {
    condition     = aws_opensearch_domain.this.cluster_config[0].zone_awareness_config[0].availability_zone_count == 3 && length(aws_opensearch_domain.this.vpc_options[0].subnet_ids) == 3
    error_message = "Three nodes are in three zones."
  }
}

run "one_node" {
  variables {
    instances    = 1
    client_cidrs = ["10.3.0.0/16"]
  }

  assert {
    condition     = !aws_opensearch_domain.this.cluster_config[0].zone_awareness_enabled && length(aws_opensearch_domain.this.cluster_config[0].zone_awareness_config) == 0 && length(aws_opensearch_domain.this.vpc_options[0].subnet_ids) == 1
    error_message = "One node is in one zone."
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.cidrs : rule.cidr_ipv4] == ["10.3.0.0/16"]
    error_message = "A VPN reaches it where it is named."
  }
}

run "refusals" {
  command = plan

  variables {
    engine_version = "OpenSearch_2.5"
    instance_type  = "r7g.large"
    instances      = 4
    client_cidrs   = ["0.0.0.0/0"]
  }

  expect_failures = [var.engine_version, var.instance_type, var.instances, var.client_cidrs]
}
