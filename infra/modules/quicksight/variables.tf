variable "name" {
  description = "What ids and names of source, data sets and dashboard begin with."
  type        = string
}

variable "region" {
  description = "The AWS region."
  type        = string
}

variable "principals" {
  description = "Who sees them: ARNs of users or groups of QuickSight, such as arn:aws:quicksight:eu-central-1:123456789012:group/default/operations. They may make analyses of the data sets."
  type        = set(string)

  validation {
    condition     = length(var.principals) > 0 && alltrue([for principal in var.principals : can(regex("^arn:[^:]+:quicksight:[^:]+:[0-9]{12}:(user|group)/", principal))])
    error_message = "principals must name at least one user or group of QuickSight by its ARN: without one nobody sees the dashboard, and data sets take no namespaces."
  }
}

variable "days" {
  description = "For how many days rows are shown: each look at the dashboard reads them."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.days >= 1 && floor(var.days) == var.days
    error_message = "days must be a whole number, at least 1."
  }
}

variable "service_role_name" {
  description = "QuickSight's role in the account, which gets a policy to query the lake."
  type        = string
  default     = "aws-quicksight-service-role-v0"
  nullable    = false
}

variable "database" {
  description = "The database of the lake's tables."
  type        = string
}

variable "workgroup" {
  description = "The workgroup for queries over the lake: its limit bounds what a look at the dashboard reads."
  type        = string
}

variable "workgroup_arn" {
  description = "The workgroup's ARN."
  type        = string
}

variable "catalog_arns" {
  description = "The catalog, the database and its tables."
  type        = list(string)
}

variable "bucket" {
  description = "The lake's bucket."
  type        = string
}

variable "kms_key_arn" {
  description = "The key that encrypts the bucket's objects."
  type        = string
}
