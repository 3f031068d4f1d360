# One role for the instances, and two a service: what starts its tasks, and what they may do.

locals {
  # REGISTRY/REPOSITORY of images in ECR: the account, the region and the repository.
  ecr_images = {
    for name, service in var.services : name => try(regex("^([0-9]{12})\\.dkr\\.ecr\\.([a-z0-9-]+)\\.amazonaws\\.com/([^:@]+)", service.image), null)
  }

  execution_statements = {
    for name, service in var.services : name => [
      {
        applies = true
        allow = {
          Sid      = "Logs"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = ["${aws_cloudwatch_log_group.service[name].arn}:*"]
        }
      },
      {
        applies = local.ecr_images[name] != null
        allow = {
          Sid      = "RegistryLogin"
          Effect   = "Allow"
          Action   = ["ecr:GetAuthorizationToken"]
          Resource = ["*"]
        }
      },
      {
        applies = local.ecr_images[name] != null
        allow = {
          Sid      = "Pull"
          Effect   = "Allow"
          Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
          Resource = local.ecr_images[name] == null ? [] : ["arn:aws:ecr:${local.ecr_images[name][1]}:${local.ecr_images[name][0]}:repository/${local.ecr_images[name][2]}"]
        }
      },
      {
        applies = length(service.secrets) > 0
        allow = {
          Sid    = "Secrets"
          Effect = "Allow"
          Action = ["secretsmanager:GetSecretValue", "ssm:GetParameters"]
          # ARN:KEY:STAGE:VERSION names a part of a secret.
          Resource = distinct([for arn in values(service.secrets) : join(":", slice(split(":", arn), 0, min(7, length(split(":", arn)))))])
        }
      },
      {
        applies = length(service.secrets) > 0
        allow = {
          Sid      = "SecretsKey"
          Effect   = "Allow"
          Action   = ["kms:Decrypt"]
          Resource = concat([var.kms_key_arn], var.secret_key_arns)
        }
      },
    ]
  }

  task_policies = merge([
    for service_name, service in var.services : {
      for name, policy in service.policies : "${service_name}/${name}" => { service = service_name, name = name, json = policy }
    }
  ]...)
}

resource "aws_iam_role" "instance" {
  name_prefix        = "${substr(var.name, 0, 20)}-instance-"
  assume_role_policy = jsonencode(local.assumed_by["ec2"])
}

resource "aws_iam_instance_profile" "instance" {
  name_prefix = "${var.name}-consumers-"
  role        = aws_iam_role.instance.name
}

resource "aws_iam_role_policy" "instance" {
  #checkov:skip=CKV_AWS_355:Where an agent finds its end point, it has no cluster yet; the action takes no resource.
  #checkov:skip=CKV_AWS_290:The same.
  name = "ecs-agent"
  role = aws_iam_role.instance.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "FindEndpoint"
        Effect   = "Allow"
        Action   = "ecs:DiscoverPollEndpoint"
        Resource = "*"
      },
      {
        Sid      = "Register"
        Effect   = "Allow"
        Action   = ["ecs:DeregisterContainerInstance", "ecs:RegisterContainerInstance", "ecs:SubmitAttachmentStateChanges", "ecs:SubmitContainerStateChange", "ecs:SubmitTaskStateChange"]
        Resource = aws_ecs_cluster.this.arn
      },
      {
        Sid       = "Work"
        Effect    = "Allow"
        Action    = ["ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"]
        Resource  = "${replace(aws_ecs_cluster.this.arn, ":cluster/", ":container-instance/")}/*"
        Condition = { ArnEquals = { "ecs:cluster" = aws_ecs_cluster.this.arn } }
      },
    ]
  })
}

resource "aws_iam_role" "execution" {
  for_each = var.services

  name_prefix        = "${substr("${var.name}-${each.key}", 0, 30)}-start-"
  assume_role_policy = jsonencode(local.assumed_by["ecs-tasks"])
}

resource "aws_iam_role_policy" "execution" {
  #checkov:skip=CKV_AWS_355:ecr:GetAuthorizationToken takes no resource.
  #checkov:skip=CKV_AWS_290:The same.
  for_each = var.services

  name = "start"
  role = aws_iam_role.execution[each.key].id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for statement in local.execution_statements[each.key] : statement.allow if statement.applies]
  })
}

resource "aws_iam_role" "task" {
  for_each = var.services

  name_prefix        = "${substr("${var.name}-${each.key}", 0, 30)}-"
  assume_role_policy = jsonencode(local.assumed_by["ecs-tasks"])
}

resource "aws_iam_role_policy" "task" {
  for_each = local.task_policies

  name   = each.value.name
  role   = aws_iam_role.task[each.value.service].id
  policy = each.value.json
}

locals {
  assumed_by = {
    for service in ["ec2", "ecs-tasks"] : service => {
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { Service = "${service}.amazonaws.com" }
      }]
    }
  }
}
