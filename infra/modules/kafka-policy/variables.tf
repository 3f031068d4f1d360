variable "cluster_arn" {
  description = "The MSK cluster."
  type        = string
}

variable "reads" {
  description = "Topics that are read, in groups of `groups`."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "writes" {
  description = "Topics that are written."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "groups" {
  description = "Consumer groups that the principal joins."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "describes" {
  description = "Topics of which only metadata and offsets are asked for."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "described_groups" {
  description = "Groups that who describes topics may describe as well."
  type        = string
  default     = "millrace-*"
  nullable    = false
}

variable "is_transactional" {
  description = "Whether it writes in transactions: transactional ids that begin with millrace-."
  type        = bool
  default     = false
  nullable    = false
}

variable "administers" {
  description = "Topics that it creates, grows and configures."
  type        = set(string)
  default     = []
  nullable    = false
}
