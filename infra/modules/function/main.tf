# A function of ours, with a role, a log group and an alias that callers use; in a VPC also with a security group of its own.

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_116:A dead-letter queue is for asynchronous calls; these functions are called synchronously, by API Gateway, Terraform or a queue that has one.
  #checkov:skip=CKV_AWS_50:Traces go by the record's traceparent header; X-Ray would add a segment without the event.
  #checkov:skip=CKV_AWS_117:A function that reaches nothing in the VPC, and services outside of AWS, is not in it.
  #checkov:skip=CKV_AWS_272:Signing needs a signing profile of the account's own; the zip's hash is in the plan.
  function_name = var.name
  description   = var.description

  filename         = var.zip
  source_code_hash = filebase64sha256(var.zip)
  package_type     = "Zip"
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  publish          = true

  memory_size                    = var.memory_mib
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.reserved_concurrency

  ephemeral_storage {
    size = var.disk_mib
  }

  role        = aws_iam_role.this.arn
  kms_key_arn = var.kms_key_arn

  environment {
    variables = merge({ MILLRACE_LOG = var.log_level }, var.environment)
  }

  dynamic "vpc_config" {
    for_each = aws_security_group.this
    content {
      subnet_ids         = var.subnet_ids
      security_group_ids = [vpc_config.value.id]
    }
  }

  # The program writes JSON lines itself. Lambda's own lines stay text: in JSON mode it also filters by level.
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  # A network interface cannot be made, nor a line written, without them.
  depends_on = [aws_iam_role_policy.runtime]
}

# Callers have the alias: a version that is rolled back changes nothing for them.
resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "The version that is called"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_security_group" "this" {
  count = var.is_in_vpc ? 1 : 0

  name        = var.name
  description = "The function ${var.name}"
  vpc_id      = var.vpc_id

  tags = { Name = var.name }
}

resource "aws_vpc_security_group_egress_rule" "https" {
  count = var.is_in_vpc ? 1 : 0

  security_group_id = aws_security_group.this[0].id
  description       = "AWS services, by their endpoints in the VPC"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_iam_role" "this" {
  name_prefix = "${substr(var.name, 0, 30)}-"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "runtime" {
  #checkov:skip=CKV_AWS_355:Network interfaces have no ARN before they exist; EC2 takes no narrower resource for these.
  #checkov:skip=CKV_AWS_290:The same: Lambda's own AWSLambdaVPCAccessExecutionRole has these actions on "*" as well.
  name = "runtime"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.network_statements, [
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.this.arn}:*"
      },
      {
        Sid      = "Environment"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = var.kms_key_arn
      },
    ])
  })
}

moved {
  from = aws_security_group.this
  to   = aws_security_group.this[0]
}

moved {
  from = aws_vpc_security_group_egress_rule.https
  to   = aws_vpc_security_group_egress_rule.https[0]
}

locals {
  network_actions = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
  ]

  network_statements = [for statement in [
    {
      Sid      = "NetworkInterfaces"
      Effect   = "Allow"
      Action   = local.network_actions
      Resource = "*"
    },
    {
      # Lambda makes those calls, not the code: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
      Sid       = "NotTheCode"
      Effect    = "Deny"
      Action    = local.network_actions
      Resource  = "*"
      Condition = { ArnEquals = { "lambda:SourceFunctionArn" = [local.function_arn] } }
    },
  ] : statement if var.is_in_vpc]

  # From the log group's ARN: the function's own needs the role, and so this policy, first.
  function_arn = replace(replace(aws_cloudwatch_log_group.this.arn, ":logs:", ":lambda:"), ":log-group:/aws/lambda/", ":function:")
}

resource "aws_iam_role_policy" "own" {
  for_each = var.policies

  name   = each.key
  role   = aws_iam_role.this.id
  policy = each.value
}
