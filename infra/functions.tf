# The Lambda functions: what functions/functions.json lists, and LocalStack has as well. `cargo xtask package` makes their zips.
# An HTTP function's time-out is above the 15 s within which the edge answers, and below the 30 s for which API Gateway waits.

locals {
  dist     = coalesce(var.dist, "${path.module}/../dist")
  manifest = jsondecode(file("${local.dist}/manifest.json"))

  listed_functions = jsondecode(file("${path.module}/../functions/functions.json"))

  deployed_functions = {
    for name, function in local.listed_functions : name => function
    if function.is_http ? var.edge == "api_gateway" : name == "topics" ? var.topics.by_function : contains(keys(local.stages), name)
  }

  functions = {
    for name, function in local.deployed_functions : name => {
      description          = function.description
      memory_mib           = function.is_http ? coalesce(var.api.memory_mib, function.memory_mib) : function.memory_mib
      disk_mib             = try(function.disk_mib, null)
      timeout_seconds      = function.timeout_seconds
      reserved_concurrency = function.is_http ? var.api.reserved_concurrency : -1
      is_in_vpc            = function.has_kafka || function.has_database
      environment = merge(
        function.has_kafka ? local.kafka_environment : {},
        function.has_database ? local.database_environment : {},
        contains(keys(local.stages), name) ? { MILLRACE_LAKE = "s3://${aws_s3_bucket.data.bucket}" } : {},
        try(local.stages[name].environment, {}),
        var.environment,
      )
      policies = merge(
        function.has_kafka ? local.kafka_policies[name] : {},
        function.has_database ? local.database_policies : {},
        contains(keys(local.stages), name) ? { lake = local.stage_policies[name] } : {},
      )
    }
  }

  # The manifest's artifact, or the one that function_sha256 names.
  zips = {
    for name in keys(local.functions) : name =>
    "${local.dist}/functions/millrace-${name}-${var.function_architecture}-${substr(lookup(var.function_sha256, name, try(local.manifest.functions[name][var.function_architecture].sha256, "missing")), 0, 16)}.zip"
  }
}

module "function" {
  source   = "./modules/function"
  for_each = local.functions

  name                 = "${var.name}-${each.key}"
  description          = each.value.description
  zip                  = local.zips[each.key]
  sha256               = lookup(var.function_sha256, each.key, null)
  architecture         = var.function_architecture
  memory_mib           = each.value.memory_mib
  disk_mib             = each.value.disk_mib
  timeout_seconds      = each.value.timeout_seconds
  reserved_concurrency = each.value.reserved_concurrency
  environment          = each.value.environment
  policies             = each.value.policies
  is_in_vpc            = each.value.is_in_vpc
  vpc_id               = local.vpc_id
  subnet_ids           = local.private_subnet_ids
  kms_key_arn          = aws_kms_key.this.arn
  log_retention_days   = var.log_retention_days
}

# The topics, once there are brokers; what reads or writes them waits for them. A refusal fails the apply; no topic was changed then.
resource "aws_lambda_invocation" "topics" {
  count = var.topics.by_function ? 1 : 0

  function_name = module.function["topics"].name
  qualifier     = module.function["topics"].alias

  input = jsonencode({
    catalogue         = local.catalogue
    replication       = var.topics.replication
    shorten_retention = var.topics.shorten_retention
  })

  triggers = { version = module.function["topics"].version }

  # A role's policies and the way to the brokers.
  depends_on = [module.function, module.kafka, aws_vpc_security_group_egress_rule.existing]

  lifecycle {
    precondition {
      condition     = length(local.catalogue.topics) > 0
      error_message = "The catalogue has no topics."
    }
  }
}

module "kafka_policy" {
  source   = "./modules/kafka-policy"
  for_each = local.kafka.has_iam ? local.kafka_access : {}

  cluster_arn      = local.kafka.cluster_arn
  reads            = each.value.reads
  writes           = each.value.writes
  groups           = each.value.groups
  describes        = each.value.describes
  described_groups = each.value.described_groups
  administers      = each.value.administers
  is_transactional = each.value.is_transactional
}

locals {
  kafka_policies = { for name in keys(local.kafka_access) : name => local.kafka.has_iam ? { kafka = module.kafka_policy[name].json } : {} }

  no_kafka_access = {
    reads            = []
    writes           = []
    groups           = []
    describes        = []
    described_groups = null
    administers      = []
    is_transactional = false
  }

  # Beside what functions.json says that a function writes.
  more_kafka_access = {
    api    = { describes = concat(local.topics, local.dead_letters) } # GET /get_status
    topics = { administers = concat(local.topics, local.dead_letters) }
  }

  function_kafka_access = {
    for name, function in local.listed_functions : name =>
    merge(local.no_kafka_access, { writes = function.writes }, try(local.more_kafka_access[name], {})) if function.has_kafka
  }

  kafka_access = merge(
    local.function_kafka_access,
    {
      edge = local.function_kafka_access["api"]
      operator = merge(local.no_kafka_access, {
        reads            = concat(local.topics, local.dead_letters)
        writes           = local.topics
        groups           = ["millrace-replay"]
        describes        = concat(local.topics, local.dead_letters)
        described_groups = "*" # `millrace topology` shows every group, also MSK's own.
        is_transactional = true
      })
    },
    {
      for name, topics in local.consumer_topics : name => merge(local.no_kafka_access, {
        reads            = topics.reads
        writes           = concat(topics.writes, [for topic in topics.reads : local.dead_letter_of[topic]])
        groups           = keys(topics.groups)
        is_transactional = local.consumer_defaults[name].is_transactional
      })
    },
  )
}
