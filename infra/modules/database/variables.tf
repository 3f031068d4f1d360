variable "name" {
  description = "The cluster's name, and the prefix of all other names."
  type        = string
}

variable "vpc_id" {
  description = "The VPC that it is in."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets in at least two zones."
  type        = list(string)
}

variable "client_security_groups" {
  description = "Security groups that may connect, by a name of their own."
  type        = map(string)
}

variable "kms_key_arn" {
  description = "The key that encrypts storage, backups, logs and the secret."
  type        = string
}

variable "engine_version" {
  description = "Aurora PostgreSQL's version, 16.3 or newer: older ones cannot pause. AWS does not raise it by itself: this does, before AWS stops supporting it."
  type        = string
  default     = "17.5"
  nullable    = false

  validation {
    condition     = can(regex("^(16\\.([3-9]|[1-9][0-9])|1[7-9]\\.[0-9]+)$", var.engine_version))
    error_message = "engine_version must be 16.3 or newer, such as 17.5."
  }
}

variable "min_capacity" {
  description = "Fewest Aurora capacity units (2 GiB of memory each); 0 pauses after idle_pause_seconds."
  type        = number
  default     = 0.5
  nullable    = false

  validation {
    condition     = var.min_capacity >= 0 && var.min_capacity <= 256 && floor(var.min_capacity * 2) == var.min_capacity * 2
    error_message = "min_capacity must be between 0 and 256 in steps of 0.5."
  }
}

variable "max_capacity" {
  description = "Most Aurora capacity units."
  type        = number
  default     = 16
  nullable    = false

  validation {
    condition     = var.max_capacity >= max(1, var.min_capacity) && var.max_capacity <= 256
    error_message = "max_capacity must be at least 1 and min_capacity, and at most 256."
  }
}

variable "idle_pause_seconds" {
  description = "Idle time after which a database with min_capacity 0 pauses. Consumers that run keep it awake."
  type        = number
  default     = 300
  nullable    = false
}

variable "instances" {
  description = "Database instances: 1, or 2 and more for a stand-by that takes over in another zone."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.instances >= 1 && var.instances <= 15
    error_message = "instances must be between 1 and 15."
  }
}

variable "backup_retention_days" {
  description = "Days to which the database can be restored, to the second."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35
    error_message = "backup_retention_days must be between 1 and 35."
  }
}

variable "is_protected" {
  description = "Whether deletion is refused, and leaves a final snapshot once it is allowed. False: destroy leaves nothing."
  type        = bool
  default     = true
  nullable    = false
}

variable "log_retention_days" {
  description = "Days for which PostgreSQL's log is kept."
  type        = number
  default     = 365
  nullable    = false
}
