# 2,000 events a second and more, through the loss of a zone: every part three times, spot instances above a floor.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }

  # One state a team: a bucket with versioning, and Terraform's own lock beside it.
  backend "s3" {
    key          = "millrace/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { project = "millrace", environment = var.name }
  }
}

module "millrace" {
  source = "../.."

  name             = var.name
  region           = var.region
  dist             = var.dist
  image_tag        = var.image_tag
  function_sha256  = var.function_sha256
  notifier_config  = var.notifier_config
  alarm_emails     = var.alarm_emails
  chats_secret_arn = var.chats_secret_arn
  runbook_url      = var.runbook_url

  network  = { nat = "per_zone" }
  kafka    = { instance_type = "kafka.m7g.large", storage_gib = 250, storage_max_gib = 2000 }
  database = { min_capacity = 1, max_capacity = 32, instances = 2, backup_retention_days = 35 }

  instances = { types = ["m7g.large", "m6g.large", "c7g.large"], min = 3, max = 12, on_demand_base = 3, spot_percent = 70 }

  # As many tasks may share a topic.
  topics = { partitions = 12 }

  consumers = {
    event-store    = { cpu = 1024, memory = 1024, min = 3, max = 12 }
    notifier       = { cpu = 1024, memory = 1536, min = 3, max = 12 }
    payments       = { min = 2, max = 12 }
    log-shipper    = { min = 1, max = 6 }
    login-insights = { min = 1, max = 6 }
  }

  api = {
    throttle             = { rate = 4000, burst = 2000 }
    jwt                  = var.jwt
    domain               = var.domain
    reserved_concurrency = 400
  }
}
