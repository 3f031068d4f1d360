variable "name" {
  description = "Prefix of all names."
  type        = string
}

variable "region" {
  description = "The provider's region: part of the endpoints' service names."
  type        = string
}

variable "cidr" {
  description = "The VPC's address range, /16 to /20."
  type        = string
  default     = "10.40.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.cidr)) && try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 20, false)
    error_message = "cidr must be an IPv4 range between /16 and /20, such as 10.40.0.0/16."
  }
}

variable "availability_zones" {
  description = "Names of three availability zones. Empty: REGIONa, REGIONb and REGIONc; name them where an account has no such zone, as in ap-northeast-1."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = contains([0, 3], length(var.availability_zones))
    error_message = "availability_zones must name three zones, or none: Kafka keeps a copy of each record in each of three."
  }
}

variable "nat" {
  description = "NAT gateways for calls to the internet (webhooks, Slack, Teams): none, single (one zone's failure cuts them off) or per_zone."
  type        = string
  default     = "none"
  nullable    = false

  validation {
    condition     = contains(["none", "single", "per_zone"], var.nat)
    error_message = "nat must be none, single or per_zone."
  }
}

variable "has_public_subnets" {
  description = "Whether public subnets are made although there is no NAT gateway: for a load balancer that the internet reaches."
  type        = bool
  default     = false
  nullable    = false
}

variable "interface_endpoints" {
  description = "AWS services that are reached by an interface endpoint in the VPC, by the last part of their service name. Each costs by the hour and zone."
  type        = set(string)
  default     = ["ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "events", "kinesis-firehose", "logs", "secretsmanager"]
  nullable    = false
}

variable "endpoint_zones" {
  description = "In how many zones the interface endpoints have an address: 1 is cheapest, 3 survives the loss of a zone."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.endpoint_zones >= 1 && var.endpoint_zones <= 3
    error_message = "endpoint_zones must be 1, 2 or 3."
  }
}

variable "flow_log_retention_days" {
  description = "Days for which the VPC's flow logs are kept."
  type        = number
  default     = 365
  nullable    = false
}

variable "kms_key_arn" {
  description = "The key that encrypts the flow logs."
  type        = string
}
