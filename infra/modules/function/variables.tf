variable "name" {
  description = "The function's name."
  type        = string
}

variable "description" {
  description = "What it does, for the console."
  type        = string
}

variable "zip" {
  description = "Path of the artifact. `cargo xtask package` makes it."
  type        = string

  validation {
    condition     = fileexists(var.zip)
    error_message = "The artifact ${var.zip} is missing: cargo xtask package makes it."
  }
}

variable "architecture" {
  description = "The artifact's architecture: arm64 or x86_64."
  type        = string

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "memory_mib" {
  description = "Memory in MiB; the share of a processor grows with it."
  type        = number
  default     = 256
  nullable    = false
}

variable "timeout_seconds" {
  description = "Time-out of an invocation."
  type        = number
}

variable "reserved_concurrency" {
  description = "How many execution environments run at most; they are also kept free for this function. -1: the account's limit."
  type        = number
  default     = -1
  nullable    = false
}

variable "environment" {
  description = "Environment variables."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "policies" {
  description = "Policy documents of its role, by a name of their own."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "vpc_id" {
  description = "The VPC that it runs in."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets that it runs in."
  type        = list(string)
}

variable "kms_key_arn" {
  description = "The key that encrypts its logs and environment variables."
  type        = string
}

variable "log_level" {
  description = "What it logs: a level, or levels for parts of the program (MILLRACE_LOG)."
  type        = string
  default     = "info"
  nullable    = false
}

variable "log_retention_days" {
  description = "Days for which its logs are kept."
  type        = number
  default     = 365
  nullable    = false
}
