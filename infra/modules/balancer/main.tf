# An Application Load Balancer before `millrace serve` on the consumers' instances, in place of API Gateway and Lambda.

locals {
  # Of Docker on Amazon Linux: where tasks with host port 0 listen.
  first_port = 32768
  last_port  = 65535
}

resource "aws_security_group" "this" {
  name        = "${var.name}-balancer"
  description = "The edge's load balancer"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-balancer" }
}

resource "aws_vpc_security_group_ingress_rule" "https" {
  for_each = var.client_cidrs

  security_group_id = aws_security_group.this.id
  description       = "HTTPS from clients"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "tasks" {
  security_group_id            = aws_security_group.this.id
  description                  = "Tasks of the edge"
  referenced_security_group_id = var.instance_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = local.first_port
  to_port                      = local.last_port
}

resource "aws_vpc_security_group_ingress_rule" "tasks" {
  security_group_id            = var.instance_security_group_id
  description                  = "The edge's load balancer"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = local.first_port
  to_port                      = local.last_port
}

resource "aws_lb" "this" {
  #checkov:skip=CKV2_AWS_28:A web ACL is the account's own to choose; it is attached by aws_wafv2_web_acl_association to the output arn.
  #checkov:skip=CKV_AWS_91:Access logs need a bucket with SSE-S3; which one is the variable access_log_bucket.
  name               = "${var.name}-edge"
  load_balancer_type = "application"
  internal           = var.is_internal
  subnets            = var.subnet_ids
  security_groups    = [aws_security_group.this.id]

  # Below the 75 s for which `millrace serve` keeps an idle connection.
  idle_timeout               = 60
  drop_invalid_header_fields = true
  desync_mitigation_mode     = "strictest"
  enable_deletion_protection = var.is_protected

  dynamic "access_logs" {
    for_each = var.access_log_bucket == null ? [] : [var.access_log_bucket]
    content {
      enabled = true
      bucket  = access_logs.value
      prefix  = var.name
    }
  }
}

resource "aws_lb_target_group" "edge" {
  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer; behind it is the VPC, and only its security group reaches the tasks.
  name_prefix = "edge-"
  vpc_id      = var.vpc_id
  target_type = "instance"
  protocol    = "HTTP"
  port        = 8080

  # A task that stops answers what it has begun.
  deregistration_delay          = 30
  load_balancing_algorithm_type = "least_outstanding_requests"

  health_check {
    path                = "/health"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  protocol          = "HTTPS"
  port              = 443
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.edge.arn
  }
}

# Metrics are nothing for the internet.
resource "aws_lb_listener_rule" "metrics" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 1

  condition {
    path_pattern {
      values = ["/metrics", "/metrics/*"]
    }
  }

  action {
    type = "fixed-response"

    fixed_response {
      status_code  = "404"
      content_type = "application/json"
      message_body = jsonencode({ title = "Not Found", status = 404 })
    }
  }
}
