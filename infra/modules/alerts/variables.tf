variable "name" {
  description = "Prefix of all names."
  type        = string
}

variable "region" {
  description = "The provider's region, for the dashboard."
  type        = string
}

variable "kms_key_arn" {
  description = "The key that encrypts the topic. CloudWatch must be allowed to use it."
  type        = string
}

variable "emails" {
  description = "Addresses that get the alarms; each is asked to confirm first."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "runbook_url" {
  description = "Where the runbook is: an alarm's description has its entry's address."
  type        = string
}

variable "kafka_cluster_name" {
  description = "The MSK cluster. Null: no alarms of its metrics."
  type        = string
  default     = null
}

variable "has_broker_metrics" {
  description = "Whether the cluster has brokers of its own (not Serverless)."
  type        = bool
  default     = true
  nullable    = false
}

variable "brokers_with_disks" {
  description = "How many brokers have volumes that can fill up: none of Express or Serverless."
  type        = number
  default     = 0
  nullable    = false
}

variable "ecs_cluster_name" {
  description = "The ECS cluster of the services."
  type        = string
}

variable "services" {
  description = "The ECS services, as the module consumers gives them."
  type = map(object({
    min            = number
    max            = number
    groups         = map(set(string))
    log_group_name = string
  }))
}

variable "lag_limits" {
  description = "Lag in records that raises an alarm after 15 minutes, by service; others have lag_limit."
  type        = map(number)
  default     = {}
  nullable    = false
}

variable "lag_limit" {
  description = "Lag in records that raises an alarm after 15 minutes."
  type        = number
  default     = 100000
  nullable    = false
}

variable "functions" {
  description = "The Lambda functions: their names and time-outs in seconds, and how many seconds apart they are called at least where that is long, by a name of their own."
  type        = map(object({ name = string, timeout_seconds = number, call_seconds = optional(number, 60) }))
  default     = {}
  nullable    = false
}

variable "api" {
  description = "The HTTP API. Null: no alarms of its metrics."
  type        = object({ id = string })
  default     = null
}

variable "load_balancer" {
  description = "The edge's load balancer in place of an API. Null: no alarms of its metrics."
  type        = object({ arn_suffix = string })
  default     = null
}

variable "database" {
  description = "The Aurora cluster. Null: no alarms of its metrics."
  type        = object({ cluster_id = string })
  default     = null
}

variable "search" {
  description = "The OpenSearch domain, its account and the disk of one of its nodes in MiB. Null: no alarms of its metrics."
  type        = object({ domain_name = string, account_id = string, storage_mib = number })
  default     = null
}

variable "delivery_stream" {
  description = "The Firehose stream of raw logs. Null: no alarms of its metrics."
  type        = string
  default     = null
}

variable "delivery_log_group_name" {
  description = "The log group in which that stream says what it cannot deliver."
  type        = string
  default     = null
}

variable "backfill" {
  description = "The state machine of backfills. Null: no alarm of its runs."
  type        = object({ state_machine_arn = string })
  default     = null
}

variable "stages" {
  description = "The stages of the lake, by name: the queue of a stage's events, that of events whose attempts are used up, and its function's log group."
  type        = map(object({ queue = string, dead_letter_queue = string, log_group_name = string }))
  default     = {}
  nullable    = false
}
