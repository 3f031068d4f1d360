variable "name" {
  description = "Prefix of all names: one environment of one account and region."
  type        = string
  default     = "millrace"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name)) && !can(regex("^(aws|ecs|fargate)|--", var.name))
    error_message = "name must be 3 to 20 lower-case letters, digits and single hyphens, begin with a letter, and not with aws, ecs or fargate."
  }
}

variable "region" {
  description = "The provider's region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region)) && !can(regex("^cn-|^us-gov-|-iso", var.region))
    error_message = "region must be a region of the partition aws, such as eu-central-1: those of China and of the US government are not supported."
  }
}

variable "dist" {
  description = "Where `cargo xtask package` has put manifest.json and the functions' zips. Null: dist/ of this repository."
  type        = string
  default     = null

  validation {
    condition     = fileexists("${coalesce(var.dist, "${path.module}/../dist")}/manifest.json")
    error_message = "${coalesce(var.dist, "dist")}/manifest.json is missing: `cargo xtask package` makes it."
  }
}

variable "function_sha256" {
  description = "Artifacts to run in place of the manifest's, by function: the SHA-256 of a zip that is still in dist. Rolls a function back."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for sha256 in values(var.function_sha256) : can(regex("^[0-9a-f]{64}$", sha256))])
    error_message = "function_sha256 must hold SHA-256 sums: 64 hexadecimal digits, as `cargo xtask package` prints them."
  }

  validation {
    condition     = length(setsubtract(keys(var.function_sha256), keys(local.listed_functions))) == 0
    error_message = "function_sha256 has names that are no function's: ${join(", ", setsubtract(keys(var.function_sha256), keys(local.listed_functions)))}. There are ${join(", ", keys(local.listed_functions))}."
  }
}

variable "function_architecture" {
  description = "The functions' architecture: arm64 (a fifth cheaper) or x86_64."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.function_architecture)
    error_message = "function_architecture must be arm64 or x86_64."
  }
}

variable "image_tag" {
  description = "The images' tag, such as 0.1.0. Tags of the repositories here never change: rolling back is an older tag."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "image_tag must be a tag that never changes, such as 0.1.0 or a commit, and not latest."
  }
}

variable "image_registry" {
  description = "Registry and path that hold the images, such as 123456789012.dkr.ecr.eu-central-1.amazonaws.com/millrace. Null: ECR repositories made here."
  type        = string
  default     = null

  validation {
    condition     = var.image_registry == null ? true : can(regex("^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*$", var.image_registry))
    error_message = "image_registry must be a registry and a path, such as ghcr.io/example: without https:// and without a / at its end."
  }
}

variable "edge" {
  description = "What answers HTTPS: api_gateway (API Gateway and the function), load_balancer (an ALB and `millrace serve` on the instances) or none."
  type        = string
  default     = "api_gateway"
  nullable    = false

  validation {
    condition     = contains(["api_gateway", "load_balancer", "none"], var.edge)
    error_message = "edge must be api_gateway, load_balancer or none."
  }
}

variable "network" {
  description = <<-END
    The VPC that is made (cidr, availability_zones, nat, interface_endpoints, endpoint_zones: see modules/network), or in
    existing one of yours: three private subnets in three zones, and public ones for a load balancer.
  END
  type = object({
    cidr                = optional(string)
    availability_zones  = optional(list(string))
    nat                 = optional(string)
    interface_endpoints = optional(set(string))
    endpoint_zones      = optional(number)
    existing = optional(object({
      vpc_id             = string
      private_subnet_ids = list(string)
      public_subnet_ids  = optional(list(string), [])
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = try(length(var.network.existing.private_subnet_ids) == 3, true)
    error_message = "network.existing.private_subnet_ids must name three subnets in three zones."
  }

  validation {
    condition     = var.edge != "load_balancer" || coalesce(var.load_balancer.is_internal, false) || try(length(var.network.existing.public_subnet_ids) >= 2, true)
    error_message = "network.existing.public_subnet_ids must name two subnets or more for a load balancer that is not internal."
  }
}

variable "kafka" {
  description = <<-END
    The MSK cluster that is made (type, version, instance_type, brokers, storage_gib, storage_max_gib: see modules/kafka),
    or in existing one of yours: bootstrap_servers, cidrs where its brokers are, for MSK with IAM also cluster_arn, for
    scaling on lag cluster_name; for other ways to authenticate environment (KAFKA_SECURITY_PROTOCOL and so on) and
    secrets (variable = ARN), which containers get and functions do not.
  END
  type = object({
    type            = optional(string)
    version         = optional(string)
    instance_type   = optional(string)
    brokers         = optional(number)
    storage_gib     = optional(number)
    storage_max_gib = optional(number)
    existing = optional(object({
      bootstrap_servers = string
      cidrs             = set(string)
      cluster_arn       = optional(string)
      cluster_name      = optional(string)
      environment       = optional(map(string), {})
      secrets           = optional(map(string), {})
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.kafka.existing == null ? true : can(regex("^[^,:]+:[0-9]+(,[^,:]+:[0-9]+)*$", var.kafka.existing.bootstrap_servers))
    error_message = "kafka.existing.bootstrap_servers must be HOST:PORT, separated by commas."
  }

  validation {
    condition     = length(try(var.kafka.existing.secrets, {})) == 0 || (var.edge != "api_gateway" && !var.topics.by_function && !var.lake.has_stages)
    error_message = "kafka.existing.secrets reach containers, not functions: use IAM; or edge = \"load_balancer\", lake = { has_stages = false } and topics = { by_function = false }, and `millrace topics apply` for the topics."
  }

  validation {
    condition     = try(var.kafka.existing.cluster_arn, null) == null ? true : can(regex("^arn:aws:kafka:[a-z0-9-]+:[0-9]{12}:cluster/[^/]+/[^/]+$", var.kafka.existing.cluster_arn))
    error_message = "kafka.existing.cluster_arn must be an MSK cluster's: arn:aws:kafka:REGION:ACCOUNT:cluster/NAME/UUID."
  }

  validation {
    condition     = alltrue([for cidr in try(var.kafka.existing.cidrs, []) : can(cidrnetmask(cidr)) && try(cidrhost(cidr, 0) == split("/", cidr)[0], false)])
    error_message = "kafka.existing.cidrs must be IPv4 ranges, such as 10.1.0.0/16."
  }
}

variable "topics" {
  description = <<-END
    partitions: of each topic but those of dead letters, in place of the catalogue's; catalogue: a topics.json of yours in
    place of Millrace's; replication: copies of each partition; shorten_retention: whether a shorter retention, which deletes
    records, is allowed. A function applies it, and refuses what would lose records before anything is changed; with
    by_function = false there is none, and topics-native (or you) makes them.
  END
  type = object({
    partitions        = optional(number)
    catalogue         = optional(string)
    replication       = optional(number, 3)
    shorten_retention = optional(bool, false)
    by_function       = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.topics.catalogue == null ? true : fileexists(var.topics.catalogue)
    error_message = "topics.catalogue: no such file."
  }

  validation {
    condition     = var.topics.partitions == null ? true : var.topics.partitions >= 1 && floor(var.topics.partitions) == var.topics.partitions
    error_message = "topics.partitions must be a whole number of at least 1."
  }

  validation {
    condition     = var.topics.replication >= 1 && floor(var.topics.replication) == var.topics.replication
    error_message = "topics.replication must be a whole number of at least 1."
  }
}

variable "database" {
  description = <<-END
    The Aurora cluster that is made (engine_version, min_capacity, max_capacity, instances, backup_retention_days,
    is_protected: see modules/database), or in existing a PostgreSQL of yours: url without a password, secret_arn of a secret
    with username and password as JSON (null: the url needs none), and cidrs where it is.
  END
  type = object({
    engine_version        = optional(string)
    min_capacity          = optional(number)
    max_capacity          = optional(number)
    idle_pause_seconds    = optional(number)
    instances             = optional(number)
    backup_retention_days = optional(number)
    is_protected          = optional(bool)
    existing = optional(object({
      url        = string
      secret_arn = optional(string)
      cidrs      = set(string)
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.database.existing == null ? true : can(regex("^postgres(ql)?://([^:@/]+@)?[^:@/]+(:[0-9]+)?/", var.database.existing.url))
    error_message = "database.existing.url must be postgres://USER@HOST:PORT/NAME, without a password: that is in the secret."
  }

  validation {
    condition     = alltrue([for cidr in try(var.database.existing.cidrs, []) : can(cidrnetmask(cidr)) && try(cidrhost(cidr, 0) == split("/", cidr)[0], false)])
    error_message = "database.existing.cidrs must be IPv4 ranges, such as 10.2.0.0/16."
  }
}

variable "lake" {
  description = <<-END
    How Firehose gathers raw logs into objects: buffer_mib and buffer_seconds (see modules/lake). For how many days raw objects are
    kept: raw_days; what they became is kept for ever. The functions that make it: has_stages, how many environments of each run at
    most (stage_concurrency), and how often an event is tried (stage_attempts; see modules/stage). Queries: whether
    Athena computes the tables' partitions or the function athena-refresh registers them (partitions), the first day that queries see
    (first_day), and how much one may read (scan_limit_gib; see modules/tables).
  END
  type = object({
    buffer_mib        = optional(number)
    buffer_seconds    = optional(number)
    raw_days          = optional(number, 90)
    has_stages        = optional(bool, true)
    stage_concurrency = optional(number)
    stage_attempts    = optional(number)
    partitions        = optional(string, "projected")
    first_day         = optional(string)
    scan_limit_gib    = optional(number)
  })
  default  = {}
  nullable = false
}

variable "api" {
  description = <<-END
    For api_gateway: throttle, cors_origins, jwt, domain (see modules/api), memory_mib of the function and
    reserved_concurrency, its most execution environments: each is a connection to each broker. -1: as many as the account
    has, for new accounts, of whose ten none can be reserved.
  END
  type = object({
    throttle = optional(object({
      rate   = optional(number, 2000)
      burst  = optional(number, 1000)
      routes = optional(map(object({ rate = number, burst = number })), {})
    }))
    cors_origins         = optional(set(string))
    jwt                  = optional(object({ issuer = string, audience = set(string), scopes = optional(set(string), []) }))
    domain               = optional(object({ name = string, certificate_arn = string, zone_id = optional(string) }))
    memory_mib           = optional(number)
    reserved_concurrency = optional(number, 100)
  })
  default  = {}
  nullable = false

  validation {
    # MSK's limits: 3,000 connections a broker, 300 of kafka.t3.small. Consumers and a deployment's new environments have some.
    condition     = var.kafka.existing != null || var.api.reserved_concurrency <= (var.kafka.instance_type == "kafka.t3.small" ? 200 : 2500)
    error_message = "api.reserved_concurrency is more than the brokers take: each environment is a connection to each of them. At most 2500, and 200 with kafka.t3.small."
  }

  validation {
    condition     = var.api.reserved_concurrency == -1 || var.api.reserved_concurrency >= 1
    error_message = "api.reserved_concurrency must be at least 1, or -1: with 0 no call is taken."
  }

  validation {
    condition     = try(var.api.throttle.rate >= 1 && var.api.throttle.burst >= 1, true)
    error_message = "api.throttle.rate and api.throttle.burst must be at least 1."
  }

  validation {
    condition     = var.api.jwt == null ? true : can(regex("^https://[^/]+", var.api.jwt.issuer)) && length(var.api.jwt.audience) > 0 && !contains(var.api.jwt.audience, "")
    error_message = "api.jwt.issuer must be an https URL, and api.jwt.audience must name at least one."
  }

  validation {
    condition     = var.api.memory_mib == null ? true : var.api.memory_mib >= 128 && var.api.memory_mib <= 10240
    error_message = "api.memory_mib must be between 128 and 10240."
  }
}

variable "load_balancer" {
  description = <<-END
    For load_balancer: certificate_arn, is_internal, client_cidrs and access_log_bucket (see modules/balancer), and the edge's
    cpu, memory, min, max, environment and secrets (variable = ARN). Who may call: MILLRACE_API_KEYS_TEXT in secrets, or
    MILLRACE_JWT_JWKS and so on in environment; without either, whoever client_cidrs let in.
  END
  type = object({
    certificate_arn   = optional(string)
    is_internal       = optional(bool)
    client_cidrs      = optional(set(string))
    access_log_bucket = optional(string)
    cpu               = optional(number, 512)
    memory            = optional(number, 512)
    min               = optional(number, 2)
    max               = optional(number, 6)
    environment       = optional(map(string), {})
    secrets           = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.edge != "load_balancer" || var.load_balancer.certificate_arn != null
    error_message = "load_balancer.certificate_arn is required with edge = \"load_balancer\"."
  }

  validation {
    condition     = var.load_balancer.min >= 1 && var.load_balancer.max >= var.load_balancer.min
    error_message = "load_balancer.min must be at least 1, and load_balancer.max at least load_balancer.min."
  }
}

variable "secret_key_arns" {
  description = "Keys of yours that encrypt the secrets which kafka.existing, database.existing, consumers and load_balancer name."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.secret_key_arns : can(regex("^arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/", arn))])
    error_message = "secret_key_arns must be ARNs of KMS keys, not of aliases: arn:aws:kms:REGION:ACCOUNT:key/ID."
  }
}

variable "egress" {
  description = <<-END
    Ways out of the VPC beside 443, Kafka and the database, by a name: port and cidr, for a mail server (587), a collector
    (OTEL_EXPORTER_OTLP_ENDPOINT, 4318), a proxy. They need NAT, or a target in the VPC.
  END
  type        = map(object({ port = number, cidr = string }))
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for way in values(var.egress) : way.port >= 1 && way.port <= 65535 && floor(way.port) == way.port])
    error_message = "egress: port must be a whole number between 1 and 65535."
  }

  validation {
    condition     = alltrue([for way in values(var.egress) : can(cidrnetmask(way.cidr)) && try(cidrhost(way.cidr, 0) == split("/", way.cidr)[0], false)])
    error_message = "egress: cidr must be an IPv4 range, such as 10.3.0.0/16."
  }

  validation {
    condition     = alltrue([for name in keys(var.egress) : can(regex("^[A-Za-z0-9 ._-]{1,100}$", name))])
    error_message = "egress: names are 1 to 100 letters, digits, spaces, dots, hyphens and underscores: they describe the rules."
  }
}

variable "instances" {
  description = "The consumers' Auto Scaling group: see modules/consumers."
  type = object({
    types          = optional(list(string))
    min            = optional(number)
    max            = optional(number)
    on_demand_base = optional(number)
    spot_percent   = optional(number)
    disk_gib       = optional(number)
  })
  default  = {}
  nullable = false
}

variable "consumers" {
  description = <<-END
    Consumers that differ from consumers.tf, by name: cpu (1024 is one processor), memory (MiB), min and max (tasks),
    lag_per_task (records), lag_limit (records that raise an alarm), environment, secrets (variable = ARN), policies (JSON by
    a name of their own), is_enabled.
  END
  type = map(object({
    cpu          = optional(number)
    memory       = optional(number)
    min          = optional(number)
    max          = optional(number)
    lag_per_task = optional(number)
    lag_limit    = optional(number)
    environment  = optional(map(string), {})
    secrets      = optional(map(string), {})
    policies     = optional(map(string), {})
    is_enabled   = optional(bool, true)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(setsubtract(keys(var.consumers), keys(local.consumer_entries))) == 0
    error_message = "consumers has names that are no consumer's: ${join(", ", setsubtract(keys(var.consumers), keys(local.consumer_entries)))}. There are ${join(", ", keys(local.consumer_entries))}."
  }

  validation {
    condition     = alltrue([for consumer in values(var.consumers) : coalesce(consumer.min, 1) >= 1 && coalesce(consumer.max, 1000) >= coalesce(consumer.min, 1)])
    error_message = "consumers: min must be at least 1, and max at least min."
  }

  validation {
    condition     = alltrue([for consumer in values(var.consumers) : coalesce(consumer.lag_per_task, 1) >= 1 && coalesce(consumer.lag_limit, 1) >= 1])
    error_message = "consumers: lag_per_task and lag_limit must be at least 1."
  }
}

variable "search" {
  description = <<-END
    A domain of OpenSearch Service in which log-indexer makes cleaned logs searchable, for retain_days days: engine_version,
    instance_type, instances, storage_gib and client_cidrs (see modules/search). Null: neither, which costs nothing; logs are
    queried by Athena.
  END
  type = object({
    engine_version = optional(string)
    instance_type  = optional(string)
    instances      = optional(number)
    storage_gib    = optional(number)
    client_cidrs   = optional(set(string))
    retain_days    = optional(number, 30)
  })
  default = null

  validation {
    condition     = var.search == null ? true : var.search.retain_days >= 1 && floor(var.search.retain_days) == var.search.retain_days
    error_message = "search.retain_days must be a whole number, at least 1."
  }

  validation {
    condition     = var.search == null || var.lake.has_stages
    error_message = "search has nothing to index without lake.has_stages: log-clean writes cleaned-logs."
  }
}

variable "quicksight" {
  description = <<-END
    A dashboard of QuickSight over the lake, for principals (users or groups of QuickSight, by their ARNs), of the last days;
    service_role_name is QuickSight's role in the account (see modules/quicksight). Null: none.
  END
  type = object({
    principals        = set(string)
    days              = optional(number)
    service_role_name = optional(string)
  })
  default = null

  validation {
    condition     = var.quicksight == null || var.lake.has_stages
    error_message = "quicksight has nothing to show without lake.has_stages: they make the tables' rows."
  }
}

variable "notifier_config" {
  description = "The text of a notifier.toml: destinations and routes. It is kept as a secret, because destinations have passwords. Null: every notification is a log line."
  type        = string
  default     = null
  sensitive   = true
}

variable "environment" {
  description = "Environment variables of every program, over those set here: OTEL_EXPORTER_OTLP_ENDPOINT, KAFKA_SSL_CA_LOCATION, HTTPS_PROXY. An empty one counts as not set, but for those of who may call, which stop the program."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "alarm_emails" {
  description = "Addresses that get the alarms; each is asked to confirm first."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "alarm_emails must be mail addresses, such as ops@example.com."
  }
}

variable "chats_secret_arn" {
  description = <<-END
    A secret of Secrets Manager with the webhooks of chats that get outages and alarms: {"slack": URL, "teams": URL}, or one of
    them. A key of the secret's own has to be in secret_key_arns.
  END
  type        = string
  default     = null

  validation {
    condition     = var.chats_secret_arn == null || can(regex("^arn:[^:]+:secretsmanager:[^:]+:[0-9]{12}:secret:", var.chats_secret_arn))
    error_message = "chats_secret_arn must be the ARN of a secret of Secrets Manager."
  }
}

variable "runbook_url" {
  description = "Where docs/runbook.md of your copy can be read."
  type        = string
  default     = "docs/runbook.md"
  nullable    = false
}

variable "log_retention_days" {
  description = "Days for which logs are kept."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of CloudWatch's: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400 and so on."
  }
}

variable "is_protected" {
  description = "Whether what holds data refuses to be deleted: the database, the bucket, the repositories, the load balancer. False: destroy leaves nothing."
  type        = bool
  default     = true
  nullable    = false
}
