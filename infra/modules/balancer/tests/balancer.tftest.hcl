mock_provider "aws" {
  source = "../../tests/mock"
}

variables {
  name                       = "millrace"
  vpc_id                     = "vpc-1"
  subnet_ids                 = ["subnet-1", "subnet-2", "subnet-3"]
  certificate_arn            = "arn:aws:acm:eu-central-1:123456789012:certificate/mock"
  instance_security_group_id = "sg-1"
}

run "public" {
  assert {
    condition     = aws_lb_listener.https.protocol == "HTTPS" && startswith(aws_lb_listener.https.ssl_policy, "ELBSecurityPolicy-TLS13-1-2")
    error_message = "Clients speak TLS 1.2 or newer."
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.https : rule.from_port] == [443] && aws_vpc_security_group_ingress_rule.tasks.referenced_security_group_id == aws_security_group.this.id
    error_message = "One port is open to clients, and the tasks to the load balancer alone."
  }

  # `millrace serve` keeps idle connections for 75 s.
  assert {
    condition     = aws_lb.this.idle_timeout < 75 && aws_lb.this.drop_invalid_header_fields
    error_message = "The load balancer closes idle connections first."
  }

  assert {
    condition     = aws_lb_listener_rule.metrics.action[0].fixed_response[0].status_code == "404"
    error_message = "Metrics are not public."
  }
}
