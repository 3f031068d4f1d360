# The smallest whole system: everything real, nothing twice. destroy leaves nothing behind.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { project = "millrace", environment = var.name }
  }
}

module "millrace" {
  #checkov:skip=CKV_AWS_338:A development environment: nobody reads its logs after a week.
  source = "../.."

  name             = var.name
  region           = var.region
  dist             = var.dist
  environment      = var.environment
  image_tag        = var.image_tag
  image_registry   = var.image_registry
  function_sha256  = var.function_sha256
  notifier_config  = var.notifier_config
  alarm_emails     = var.alarm_emails
  chats_secret_arn = var.chats_secret_arn

  function_architecture = var.function_architecture

  # No NAT: the notifier writes to its log. A webhook on the internet needs nat = "single".
  network   = { endpoint_zones = 1 }
  kafka     = { instance_type = "kafka.t3.small", storage_gib = 10, storage_max_gib = 50 }
  database  = { min_capacity = 0, max_capacity = 2, instances = 1, backup_retention_days = 1 }
  instances = { types = ["t4g.medium", "t4g.large"], min = 1, max = 2, on_demand_base = 1 }
  api       = { reserved_concurrency = 20 }
  consumers = { for name in ["event-store", "log-shipper", "login-insights", "notifier", "payments"] : name => { max = 1 } }

  log_retention_days = 7
  is_protected       = false
}
