# Millrace on AWS. Each part is a module; what they share, the key above all, is here.

data "aws_caller_identity" "current" {}

# One key for everything at rest. Who may use it says each role; services that encrypt by themselves are named here.
resource "aws_kms_key" "this" {
  description             = "Millrace ${var.name}: logs, records, rows, secrets, alarms"
  enable_key_rotation     = true
  deletion_window_in_days = var.is_protected ? 30 : 7

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "RolesOfTheAccount"
        Effect    = "Allow"
        Principal = { AWS = "arn:aws:iam::${local.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:${var.region}:${local.account_id}:*" } }
      },
      {
        Sid       = "EventsToQueues"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
      },
      {
        Sid       = "TopicsToQueues"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
      },
      {
        Sid       = "AlarmsToTopic"
        Effect    = "Allow"
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
      },
    ]
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}

locals {
  account_id = data.aws_caller_identity.current.account_id

  base_catalogue = jsondecode(file(coalesce(var.topics.catalogue, "${path.module}/../crates/domain/topics.json")))
  catalogue = merge(local.base_catalogue, {
    topics = [for topic in local.base_catalogue.topics : merge(topic, { partitions = coalesce(var.topics.partitions, topic.partitions) })]
  })

  topics         = [for topic in local.catalogue.topics : topic.name]
  dead_letters   = [for topic in local.catalogue.topics : topic.dead_letter_topic]
  partitions     = { for topic in local.catalogue.topics : topic.name => topic.partitions }
  dead_letter_of = { for topic in local.catalogue.topics : topic.name => topic.dead_letter_topic }

  vpc_id             = var.network.existing == null ? module.network[0].vpc_id : var.network.existing.vpc_id
  private_subnet_ids = var.network.existing == null ? module.network[0].private_subnet_ids : var.network.existing.private_subnet_ids
  public_subnet_ids  = var.network.existing == null ? module.network[0].public_subnet_ids : var.network.existing.public_subnet_ids
}

module "network" {
  source = "./modules/network"
  count  = var.network.existing == null ? 1 : 0

  name                    = var.name
  region                  = var.region
  cidr                    = var.network.cidr
  availability_zones      = var.network.availability_zones
  nat                     = var.network.nat
  has_public_subnets      = var.edge == "load_balancer" && !coalesce(var.load_balancer.is_internal, false)
  interface_endpoints     = var.network.interface_endpoints
  endpoint_zones          = var.network.endpoint_zones
  kms_key_arn             = aws_kms_key.this.arn
  flow_log_retention_days = var.log_retention_days
}

module "kafka" {
  source = "./modules/kafka"
  count  = var.kafka.existing == null ? 1 : 0

  name                   = var.name
  vpc_id                 = local.vpc_id
  subnet_ids             = local.private_subnet_ids
  client_security_groups = local.client_security_groups
  kms_key_arn            = aws_kms_key.this.arn
  type                   = var.kafka.type
  kafka_version          = var.kafka.version
  instance_type          = var.kafka.instance_type
  brokers                = var.kafka.brokers
  storage_gib            = var.kafka.storage_gib
  storage_max_gib        = var.kafka.storage_max_gib
  log_retention_days     = var.log_retention_days
}

module "database" {
  source = "./modules/database"
  count  = var.database.existing == null ? 1 : 0

  name                   = var.name
  vpc_id                 = local.vpc_id
  subnet_ids             = local.private_subnet_ids
  client_security_groups = { for name, id in local.client_security_groups : name => id if contains(local.database_clients, name) }
  kms_key_arn            = aws_kms_key.this.arn
  engine_version         = var.database.engine_version
  min_capacity           = var.database.min_capacity
  max_capacity           = var.database.max_capacity
  idle_pause_seconds     = var.database.idle_pause_seconds
  instances              = var.database.instances
  backup_retention_days  = var.database.backup_retention_days
  is_protected           = coalesce(var.database.is_protected, var.is_protected)
  log_retention_days     = var.log_retention_days
}

locals {
  # Who connects to Kafka and the database.
  client_security_groups = merge(
    { consumers = module.consumers.security_group_id },
    { for name, function in module.function : name => function.security_group_id if local.functions[name].is_in_vpc },
  )

  kafka = {
    cluster_arn       = var.kafka.existing == null ? module.kafka[0].cluster_arn : var.kafka.existing.cluster_arn
    cluster_name      = var.kafka.existing == null ? var.name : var.kafka.existing.cluster_name
    bootstrap_servers = var.kafka.existing == null ? module.kafka[0].bootstrap_servers : var.kafka.existing.bootstrap_servers
    has_iam           = var.kafka.existing == null ? true : var.kafka.existing.cluster_arn != null
    secrets           = var.kafka.existing == null ? {} : var.kafka.existing.secrets
  }

  kafka_environment = merge(
    { KAFKA_BOOTSTRAP_SERVERS = local.kafka.bootstrap_servers },
    local.kafka.has_iam ? { KAFKA_SASL_MECHANISM = "AWS_MSK_IAM" } : {},
    var.kafka.existing == null ? {} : var.kafka.existing.environment,
  )

  database = {
    url        = var.database.existing == null ? module.database[0].url : var.database.existing.url
    secret_arn = var.database.existing == null ? module.database[0].secret_arn : var.database.existing.secret_arn
    has_secret = var.database.existing == null ? true : var.database.existing.secret_arn != null
  }

  # The programs read the password where RDS keeps it, and again when it was rotated.
  database_environment = {
    DATABASE_URL = local.database.has_secret ? join("", [
      local.database.url, strcontains(local.database.url, "?") ? "&" : "?", "secret=", local.database.secret_arn,
    ]) : local.database.url
  }

  database_policies = !local.database.has_secret ? {} : {
    database = jsonencode({
      Version = "2012-10-17"
      Statement = [
        { Sid = "Password", Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = local.database.secret_arn },
        {
          Sid       = "PasswordKey"
          Effect    = "Allow"
          Action    = "kms:Decrypt"
          Resource  = concat([aws_kms_key.this.arn], var.secret_key_arns)
          Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${var.region}.amazonaws.com" } }
        },
      ]
    })
  }
}

# A cluster and a database that were there before, whose own security groups must let these in, and what else is to be reached.
resource "aws_vpc_security_group_egress_rule" "existing" {
  for_each = local.existing_egress

  security_group_id = local.client_security_groups[each.value.client]
  description       = each.value.description
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
}

locals {
  clients          = concat(["consumers"], [for name, function in local.functions : name if function.is_in_vpc])
  database_clients = concat(["consumers"], [for name, function in local.listed_functions : name if function.has_database])

  existing_ports = concat(
    var.kafka.existing == null ? [] : [
      for pair in setproduct(distinct([for broker in split(",", var.kafka.existing.bootstrap_servers) : tonumber(split(":", broker)[1])]), var.kafka.existing.cidrs) :
      { description = "Kafka", port = pair[0], cidr = pair[1], is_for_all = true }
    ],
    var.database.existing == null ? [] : [
      for cidr in var.database.existing.cidrs :
      { description = "PostgreSQL", port = tonumber(coalesce(one(regex("^[^/]+//[^/]+:([0-9]+)/|", var.database.existing.url)), "5432")), cidr = cidr, is_for_all = false }
    ],
    [for name, way in var.egress : { description = name, port = way.port, cidr = way.cidr, is_for_all = true }],
  )

  existing_egress = {
    for pair in setproduct(local.clients, local.existing_ports) :
    "${pair[0]}/${pair[1].description}/${pair[1].port}/${pair[1].cidr}" => merge(pair[1], { client = pair[0] })
    if pair[1].is_for_all || contains(local.database_clients, pair[0])
  }
}

module "lake" {
  source = "./modules/lake"

  name               = var.name
  region             = var.region
  account_id         = local.account_id
  bucket_arn         = aws_s3_bucket.data.arn
  kms_key_arn        = aws_kms_key.this.arn
  buffer_mib         = var.lake.buffer_mib
  buffer_seconds     = var.lake.buffer_seconds
  log_retention_days = var.log_retention_days
}

module "search" {
  source = "./modules/search"
  count  = var.search == null ? 0 : 1

  name                   = var.name
  account_id             = local.account_id
  region                 = var.region
  vpc_id                 = local.vpc_id
  subnet_ids             = local.private_subnet_ids
  client_security_groups = { consumers = module.consumers.security_group_id }
  client_cidrs           = var.search.client_cidrs
  kms_key_arn            = aws_kms_key.this.arn
  engine_version         = var.search.engine_version
  instance_type          = var.search.instance_type
  instances              = var.search.instances
  storage_gib            = var.search.storage_gib
  log_retention_days     = var.log_retention_days
}

module "tables" {
  source = "./modules/tables"
  count  = var.lake.has_stages ? 1 : 0

  name           = var.name
  account_id     = local.account_id
  region         = var.region
  bucket         = aws_s3_bucket.data.bucket
  kms_key_arn    = aws_kms_key.this.arn
  partitions     = var.lake.partitions
  first_day      = var.lake.first_day
  scan_limit_gib = var.lake.scan_limit_gib
}

module "quicksight" {
  source = "./modules/quicksight"
  count  = var.quicksight == null ? 0 : 1

  name              = var.name
  region            = var.region
  principals        = var.quicksight.principals
  days              = var.quicksight.days
  service_role_name = var.quicksight.service_role_name
  database          = module.tables[0].database
  workgroup         = module.tables[0].workgroup
  workgroup_arn     = module.tables[0].workgroup_arn
  catalog_arns      = module.tables[0].catalog_arns
  bucket            = aws_s3_bucket.data.bucket
  kms_key_arn       = aws_kms_key.this.arn
}

module "alerts" {
  source = "./modules/alerts"

  name                    = var.name
  region                  = var.region
  kms_key_arn             = aws_kms_key.this.arn
  emails                  = var.alarm_emails
  runbook_url             = var.runbook_url
  kafka_cluster_name      = local.kafka.cluster_name
  has_broker_metrics      = var.kafka.existing == null && var.kafka.type != "serverless"
  brokers_with_disks      = var.kafka.existing == null && coalesce(var.kafka.type, "provisioned") == "provisioned" ? coalesce(var.kafka.brokers, 3) : 0
  ecs_cluster_name        = module.consumers.cluster_name
  services                = module.consumers.services
  lag_limits              = { for name, consumer in var.consumers : name => consumer.lag_limit if consumer.lag_limit != null }
  functions               = { for name, function in local.deployed_functions : name => { name = "${var.name}-${name}", timeout_seconds = function.timeout_seconds, call_seconds = try(local.stages[name].schedule, "") == "rate(1 hour)" ? 3600 : 60 } }
  api                     = var.edge == "api_gateway" ? { id = module.api[0].api_id } : null
  load_balancer           = var.edge == "load_balancer" ? { arn_suffix = module.balancer[0].arn_suffix } : null
  delivery_stream         = module.lake.stream_name
  delivery_log_group_name = module.lake.log_group_name
  backfill                = one([for machine in module.backfill : { state_machine_arn = machine.state_machine_arn }])
  stages                  = { for name, stage in module.stage : name => { queue = stage.queue, dead_letter_queue = stage.dead_letter_queue, log_group_name = module.function[name].log_group_name } }
  database                = var.database.existing == null ? { cluster_id = module.database[0].cluster_id } : null
  search                  = one([for domain in module.search : { domain_name = domain.domain_name, account_id = local.account_id, storage_mib = 1024 * coalesce(var.search.storage_gib, 100) }])
}
