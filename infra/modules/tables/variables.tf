variable "name" {
  description = "The workgroup's name, and with _ in the place of - the database's."
  type        = string
}

variable "account_id" {
  description = "The AWS account."
  type        = string
}

variable "region" {
  description = "The AWS region."
  type        = string
}

variable "bucket" {
  description = "The lake's bucket."
  type        = string
}

variable "kms_key_arn" {
  description = "The key that encrypts results."
  type        = string
}

variable "partitions" {
  description = "projected: Athena computes partitions from their folders' names. registered: they are in the catalog, where the function athena-refresh adds them, for readers that know no projection."
  type        = string
  default     = "projected"
  nullable    = false

  validation {
    condition     = contains(["projected", "registered"], var.partitions)
    error_message = "partitions must be projected or registered."
  }
}

variable "first_day" {
  description = "The first day that queries see. Rows of earlier ones are there, and not looked for: each day is 24 folders. Of projected partitions alone."
  type        = string
  default     = "2025-01-01"
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", var.first_day))
    error_message = "first_day must be a date such as 2025-01-01."
  }
}

variable "scan_limit_gib" {
  description = "GiB that one query may read; it is cancelled beyond. Athena bills what is read."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.scan_limit_gib >= 1 && floor(var.scan_limit_gib) == var.scan_limit_gib
    error_message = "scan_limit_gib must be a whole number, at least 1."
  }
}
