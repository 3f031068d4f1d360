variable "name" {
  description = "The cluster's name, and the prefix of all other names."
  type        = string
}

variable "vpc_id" {
  description = "The VPC that the brokers are in."
  type        = string
}

variable "subnet_ids" {
  description = "Three private subnets in three zones."
  type        = list(string)
}

variable "client_security_groups" {
  description = "Security groups that may connect to the brokers, by a name of their own."
  type        = map(string)
}

variable "kms_key_arn" {
  description = "The key that encrypts storage and broker logs."
  type        = string
}

variable "type" {
  description = "provisioned (standard brokers), express (brokers that scale their storage themselves) or serverless."
  type        = string
  default     = "provisioned"
  nullable    = false

  validation {
    condition     = contains(["provisioned", "express", "serverless"], var.type)
    error_message = "type must be provisioned, express or serverless."
  }
}

variable "kafka_version" {
  description = "Apache Kafka's version, as MSK names it; not for serverless."
  type        = string
  default     = "3.9.x.kraft"
  nullable    = false

  validation {
    condition     = can(regex("^(3\\.[6-9]|[4-9]\\.[0-9]+)\\.(x|[0-9]+)(\\.kraft)?$", var.kafka_version))
    error_message = "kafka_version must be one of MSK's, 3.6 or newer, such as 3.9.x.kraft or 3.8.x."
  }
}

variable "instance_type" {
  description = "The brokers' instance type, such as kafka.m7g.large or express.m7g.large; not for serverless."
  type        = string
  default     = "kafka.m7g.large"
  nullable    = false

  validation {
    condition     = can(regex("^(kafka|express)\\.[a-z0-9]+\\.[a-z0-9]+$", var.instance_type))
    error_message = "instance_type must be a broker's, such as kafka.m7g.large or express.m7g.large."
  }
}

variable "brokers" {
  description = "How many brokers: a multiple of 3, one or more a zone; not for serverless."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.brokers >= 3 && var.brokers % 3 == 0
    error_message = "brokers must be a multiple of 3: each of the three zones has as many."
  }
}

variable "storage_gib" {
  description = "Storage a broker at first, in GiB; for provisioned only."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.storage_gib >= 1 && var.storage_gib <= 16384
    error_message = "storage_gib must be between 1 and 16384."
  }
}

variable "storage_max_gib" {
  description = "Storage a broker to which auto scaling grows it, in GiB; it never shrinks. For provisioned only."
  type        = number
  default     = 1000
  nullable    = false

  validation {
    condition     = var.storage_max_gib >= var.storage_gib && var.storage_max_gib <= 16384
    error_message = "storage_max_gib must be at least storage_gib, and at most 16384."
  }
}

variable "log_retention_days" {
  description = "Days for which broker logs are kept."
  type        = number
  default     = 365
  nullable    = false
}
