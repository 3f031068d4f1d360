variable "cluster_arn" {
  description = "The MSK cluster."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:kafka:", var.cluster_arn))
    error_message = "cluster_arn must be the ARN of an MSK cluster."
  }
}

variable "catalogue" {
  description = "A topics.json of yours. Null: Millrace's own."
  type        = string
  default     = null
}

variable "partitions" {
  description = "Partitions of each topic but those of dead letters, in place of the catalogue's. Never fewer than there are: nothing refuses that before AWS does."
  type        = number
  default     = null
}

variable "replication" {
  description = "Copies of each partition."
  type        = number
  default     = 3
  nullable    = false
}
