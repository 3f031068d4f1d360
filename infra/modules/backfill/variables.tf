variable "name" {
  description = "The state machine's name is this and `-backfill`."
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
  description = "The key that encrypts the bucket's objects."
  type        = string
}

variable "function_arn" {
  description = "The ARN of log-clean that is called: that of its alias, `live`."
  type        = string
}

variable "max_concurrency" {
  description = "How many objects are cleaned at once: each environment of log-clean may be a connection to each broker. A run's own is changed by `aws stepfunctions update-map-run`."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.max_concurrency >= 1 && var.max_concurrency <= 1000 && floor(var.max_concurrency) == var.max_concurrency
    error_message = "max_concurrency must be a whole number between 1 and 1000: 0 would be without a limit."
  }
}

variable "tolerated_failures_percent" {
  description = "A run ends as failed once more of its objects have failed than this: what fails then is not the objects."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.tolerated_failures_percent >= 0 && var.tolerated_failures_percent <= 100
    error_message = "tolerated_failures_percent must be between 0 and 100."
  }
}
