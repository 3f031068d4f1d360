# The consumers: an entry each. What they read and write is the catalogue's; their images are millrace-NAME.

locals {
  all_consumer_entries = {
    event-store = {
      cpu          = 512
      memory       = 512
      has_database = true
    }

    notifier = {
      cpu          = 512
      memory       = 768
      has_database = true
      secrets = !local.has_notifier_config ? {} : {
        # With its version: another text is another task definition, and so new tasks.
        MILLRACE_NOTIFIER_CONFIG_TEXT = "${aws_secretsmanager_secret.notifier[0].arn}:::${aws_secretsmanager_secret_version.notifier[0].version_id}"
      }
    }

    payments = {
      is_transactional = true
    }

    log-shipper = {
      memory      = 384
      environment = { MILLRACE_LOGS_TO = "firehose://${module.lake.stream_name}" }
      policies    = { logs = module.lake.shipper_policy }
    }

    log-indexer = {
      memory = 384
      environment = {
        MILLRACE_INDEX_TO     = one(module.search[*].url)
        MILLRACE_INDEX_SIGN   = "true"
        MILLRACE_INDEX_RETAIN = "${try(var.search.retain_days, 30)}d"
      }
      policies = { search = one(module.search[*].indexer_policy) }
    }

    login-insights = {
      catalogue        = ["login-insights", "login-insights-files"]
      is_transactional = true
      environment      = { MILLRACE_INSIGHTS_TO = "s3://${aws_s3_bucket.data.bucket}" }
      policies         = { insights = local.insights_policy }
    }
  }

  consumer_entries = { for name, entry in local.all_consumer_entries : name => entry if name != "log-indexer" || var.search != null }

  # What an entry has where it says nothing else. catalogue: its names in the catalogue.
  consumer_defaults = {
    for name, entry in local.consumer_entries : name => merge({
      cpu              = 256
      memory           = 256
      min              = 1
      max              = 3
      lag_per_task     = 10000
      catalogue        = [name]
      has_database     = false
      is_transactional = false
      environment      = {}
      secrets          = {}
      policies         = {}
    }, entry)
  }

  catalogue_consumers = { for consumer in local.catalogue.consumers : consumer.name => consumer }

  consumer_topics = {
    for name, defaults in local.consumer_defaults : name => {
      groups = { for group in defaults.catalogue : "millrace-${group}" => local.catalogue_consumers[group].reads }
      reads  = distinct(flatten([for group in defaults.catalogue : local.catalogue_consumers[group].reads]))
      writes = distinct(flatten([for group in defaults.catalogue : local.catalogue_consumers[group].writes]))
    }
  }

  # No `try` around values of the user's: what another resource has yet to make would hide even which keys there are.
  consumer_overrides = merge(
    { for name in keys(local.consumer_entries) : name => local.no_override },
    var.consumers,
  )

  no_override = {
    cpu          = null
    memory       = null
    min          = null
    max          = null
    lag_per_task = null
    environment  = {}
    secrets      = {}
    policies     = {}
    is_enabled   = true
  }

  consumers = {
    for name, defaults in local.consumer_defaults : name => {
      image        = "${local.image_repositories["millrace-${name}"]}:${var.image_tag}"
      cpu          = coalesce(local.consumer_overrides[name].cpu, defaults.cpu)
      memory       = coalesce(local.consumer_overrides[name].memory, defaults.memory)
      min          = coalesce(local.consumer_overrides[name].min, defaults.min)
      max          = coalesce(local.consumer_overrides[name].max, defaults.max)
      lag_per_task = coalesce(local.consumer_overrides[name].lag_per_task, defaults.lag_per_task)
      environment = merge(
        local.kafka_environment,
        defaults.has_database ? local.database_environment : {},
        defaults.environment,
        var.environment,
        local.consumer_overrides[name].environment,
      )
      secrets = merge(local.kafka.secrets, defaults.secrets, local.consumer_overrides[name].secrets)
      policies = merge(
        local.kafka_policies[name],
        defaults.has_database ? local.database_policies : {},
        defaults.policies,
        local.consumer_overrides[name].policies,
      )
    } if local.consumer_overrides[name].is_enabled
  }

  edge_service = var.edge != "load_balancer" ? {} : {
    edge = {
      image   = "${local.image_repositories["millrace"]}:${var.image_tag}"
      program = "/usr/bin/millrace"
      command = ["serve"]
      cpu     = var.load_balancer.cpu
      memory  = var.load_balancer.memory
      min     = var.load_balancer.min
      max     = var.load_balancer.max
      environment = merge(
        local.kafka_environment,
        local.database_environment,
        # A caller's address is what the load balancer says.
        { MILLRACE_LISTEN = ":8080", MILLRACE_TRUSTED_PROXIES = "1" },
        var.environment,
        var.load_balancer.environment,
      )
      secrets  = merge(local.kafka.secrets, var.load_balancer.secrets)
      policies = merge(local.kafka_policies["edge"], local.database_policies)
      scaling  = null
      load_balancer = {
        target_group_arn = module.balancer[0].target_group_arn
        port             = 8080
      }
    }
  }

  # Commands of `millrace` by hand: `aws ecs run-task`, see the output operator_command.
  operator_task = {
    operator = {
      image        = "${local.image_repositories["millrace"]}:${var.image_tag}"
      program      = "/usr/bin/millrace"
      command      = ["topology"]
      memory       = 512
      environment  = merge(local.kafka_environment, local.database_environment, { MILLRACE_LAKE = "s3://${aws_s3_bucket.data.bucket}" }, var.environment)
      secrets      = local.kafka.secrets
      policies     = merge(local.kafka_policies["operator"], local.database_policies, { lake = local.lake_reader_policy })
      is_on_demand = true
    }
  }

  services = merge(local.edge_service, local.operator_task, {
    for name, consumer in local.consumers : name => {
      image       = consumer.image
      program     = "/usr/bin/millrace-${name}"
      command     = []
      cpu         = consumer.cpu
      memory      = consumer.memory
      min         = consumer.min
      max         = consumer.max
      environment = consumer.environment
      secrets     = consumer.secrets
      policies    = consumer.policies
      scaling = {
        groups       = local.consumer_topics[name].groups
        partitions   = max([for topic in local.consumer_topics[name].reads : local.partitions[topic]]...)
        lag_per_task = consumer.lag_per_task
      }
      load_balancer = null
    }
  })
}

module "consumers" {
  source = "./modules/consumers"

  name               = var.name
  region             = var.region
  vpc_id             = local.vpc_id
  subnet_ids         = local.private_subnet_ids
  kms_key_arn        = aws_kms_key.this.arn
  secret_key_arns    = var.secret_key_arns
  instances          = var.instances
  services           = local.services
  kafka_cluster_name = local.kafka.cluster_name
  log_retention_days = var.log_retention_days
}

resource "aws_ecr_repository" "this" {
  for_each = var.image_registry == null ? local.programs : toset([])

  name                 = "${var.name}/${each.key}"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = !var.is_protected

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.this.arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each = aws_ecr_repository.this

  repository = each.value.name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "The last 50 images: what may be rolled back to"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 50 }
      action       = { type = "expire" }
    }]
  })
}

locals {
  programs = toset(concat(["millrace"], [for name in keys(local.consumer_entries) : "millrace-${name}"]))

  image_repositories = {
    for program in local.programs : program => var.image_registry == null ? aws_ecr_repository.this[program].repository_url : "${var.image_registry}/${program}"
  }
}

locals {
  has_notifier_config = nonsensitive(var.notifier_config != null)
}

resource "aws_secretsmanager_secret" "notifier" {
  #checkov:skip=CKV2_AWS_57:It is a configuration file that Terraform writes, not a password that a service could rotate.
  count = local.has_notifier_config ? 1 : 0

  name_prefix             = "${var.name}-notifier-config-"
  description             = "notifier.toml"
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = var.is_protected ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "notifier" {
  count = local.has_notifier_config ? 1 : 0

  secret_id = aws_secretsmanager_secret.notifier[0].id
  # Write-only: the text is not in the state, only a number that changes with it.
  secret_string_wo         = var.notifier_config
  secret_string_wo_version = nonsensitive(parseint(substr(sha256(var.notifier_config), 0, 8), 16))
}
