variable "name" {
  description = "The domain's name, and the prefix of all other names."
  type        = string
}

variable "account_id" {
  description = "The account: its roles may call the domain where their own policies say so."
  type        = string
}

variable "region" {
  description = "The provider's region."
  type        = string
}

variable "vpc_id" {
  description = "The VPC that it is in."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, each in a zone of its own: as many are used as there are zones."
  type        = list(string)
}

variable "client_security_groups" {
  description = "Security groups that may connect, by a name of their own. They must be let out to port 443."
  type        = map(string)
}

variable "client_cidrs" {
  description = "Address ranges that may connect too, such as those of a VPN. Each request still needs a signature."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.client_cidrs : can(cidrnetmask(cidr)) && !endswith(cidr, "/0")])
    error_message = "client_cidrs must be IPv4 ranges, such as 10.3.0.0/16, and not the whole internet."
  }
}

variable "kms_key_arn" {
  description = "The key that encrypts indices and logs."
  type        = string
}

variable "engine_version" {
  description = "OpenSearch's version, 2.7 or newer: older ones have no flat_object, the type of a row's attributes."
  type        = string
  default     = "OpenSearch_2.19"
  nullable    = false

  validation {
    condition     = can(regex("^OpenSearch_(2\\.([7-9]|[1-9][0-9])|[3-9]\\.[0-9]+)$", var.engine_version))
    error_message = "engine_version must be OpenSearch_2.7 or newer, such as OpenSearch_2.19."
  }
}

variable "instance_type" {
  description = "Type of the data nodes."
  type        = string
  default     = "r7g.large.search"
  nullable    = false

  validation {
    condition     = endswith(var.instance_type, ".search")
    error_message = "instance_type must be a type of OpenSearch Service, such as r7g.large.search."
  }
}

variable "instances" {
  description = "Data nodes: 1 keeps one copy, 2 and more keep two, in as many zones, three at most."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.instances >= 1 && var.instances <= 80 && floor(var.instances) == var.instances && (var.instances < 3 || var.instances % 3 == 0)
    error_message = "instances must be 1, 2 or a multiple of 3: nodes are spread evenly over zones."
  }
}

variable "storage_gib" {
  description = "Disk of each data node, in GiB. A day takes about its cleaned rows as JSON, twice with a copy."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.storage_gib >= 10 && var.storage_gib <= 3072 && floor(var.storage_gib) == var.storage_gib
    error_message = "storage_gib must be a whole number between 10 and 3072."
  }
}

variable "log_retention_days" {
  description = "Days for which the domain's logs are kept."
  type        = number
  default     = 365
  nullable    = false
}
