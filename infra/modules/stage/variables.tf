variable "name" {
  description = "The name of the queue and the rule."
  type        = string
}

variable "description" {
  description = "Which events these are, for the console."
  type        = string
}

variable "event_pattern" {
  description = "The pattern of events on the default bus that are taken."
  type        = any
}

variable "topics" {
  description = "Topics of SNS whose notifications are messages of the queue, too: their ARNs, by a name of their own."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "function_arn" {
  description = "The ARN that is called: that of a function's alias, `live`."
  type        = string
}

variable "role_name" {
  description = "The function's role."
  type        = string
}

variable "timeout_seconds" {
  description = "The function's time-out."
  type        = number
}

variable "max_concurrency" {
  description = "How many environments of the function run at most for this: each may be a connection to each broker."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.max_concurrency >= 2 && var.max_concurrency <= 1000 && floor(var.max_concurrency) == var.max_concurrency
    error_message = "max_concurrency must be a whole number between 2 and 1000."
  }
}

variable "max_attempts" {
  description = "How often an event is tried, a time-out and half a minute apart, before its message is a dead letter: 960 are 40 hours where that is two minutes."
  type        = number
  default     = 960
  nullable    = false

  validation {
    condition     = var.max_attempts >= 5 && var.max_attempts <= 1000 && floor(var.max_attempts) == var.max_attempts
    error_message = "max_attempts must be a whole number between 5 and 1000."
  }
}

variable "kms_key_arn" {
  description = "The key that encrypts messages."
  type        = string
}

variable "region" {
  description = "The AWS region."
  type        = string
}
