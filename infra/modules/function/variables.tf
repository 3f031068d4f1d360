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
    error_message = "The artifact ${var.zip} is missing: cargo xtask package makes that of the working tree. An older one, which function_sha256 names, has to be put there again."
  }
}

variable "sha256" {
  description = "The sum that the artifact must have, whose name holds 16 digits of it alone. Null: any."
  type        = string
  default     = null

  validation {
    # Where the file is missing, zip says so.
    condition     = var.sha256 == null ? true : try(filesha256(var.zip) == var.sha256, true)
    error_message = "The artifact ${var.zip} has another SHA-256 than function_sha256 says: ${try(filesha256(var.zip), "")}."
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

variable "disk_mib" {
  description = "Space in /tmp, in MiB."
  type        = number
  default     = 512
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

variable "is_in_vpc" {
  description = "Whether it runs in a VPC: what reaches brokers or a database does."
  type        = bool
  default     = true
  nullable    = false
}

variable "vpc_id" {
  description = "The VPC that it runs in."
  type        = string
  default     = null
}

variable "subnet_ids" {
  description = "Private subnets that it runs in."
  type        = list(string)
  default     = []
  nullable    = false
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
