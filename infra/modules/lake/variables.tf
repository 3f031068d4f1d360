variable "name" {
  description = "The prefix of all names."
  type        = string
}

variable "region" {
  description = "The AWS region."
  type        = string
}

variable "account_id" {
  description = "The AWS account: Firehose takes the role for its streams alone."
  type        = string
}

variable "bucket_arn" {
  description = "The bucket of the lake."
  type        = string
}

variable "kms_key_arn" {
  description = "The key that encrypts objects, what waits in the stream, and logs."
  type        = string
}

variable "buffer_mib" {
  description = "How many MiB of lines Firehose gathers in an object, before compression."
  type        = number
  default     = 64
  nullable    = false

  validation {
    condition     = var.buffer_mib >= 1 && var.buffer_mib <= 128 && floor(var.buffer_mib) == var.buffer_mib
    error_message = "buffer_mib must be a whole number between 1 and 128."
  }
}

variable "buffer_seconds" {
  description = "For how many seconds Firehose gathers lines at most: so late is a line in the lake."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.buffer_seconds >= 0 && var.buffer_seconds <= 900 && floor(var.buffer_seconds) == var.buffer_seconds
    error_message = "buffer_seconds must be a whole number between 0 and 900."
  }
}

variable "log_retention_days" {
  description = "For how many days logs are kept."
  type        = number
}
