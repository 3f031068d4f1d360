variable "name" {
  description = "Prefix of all names."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Where it has its addresses: public subnets, or private ones where it is internal."
  type        = list(string)
}

variable "is_internal" {
  description = "Whether only the VPC reaches it."
  type        = bool
  default     = false
  nullable    = false
}

variable "certificate_arn" {
  description = "The certificate of its name, in this region."
  type        = string
}

variable "client_cidrs" {
  description = "Who may connect: IPv4 ranges."
  type        = set(string)
  default     = ["0.0.0.0/0"]
  nullable    = false
}

variable "instance_security_group_id" {
  description = "The security group of the instances that the edge runs on."
  type        = string
}

variable "access_log_bucket" {
  description = "A bucket for access logs that lets Elastic Load Balancing write (encrypted with SSE-S3, not KMS). Null: none."
  type        = string
  default     = null
}

variable "is_protected" {
  description = "Whether deletion is refused."
  type        = bool
  default     = true
  nullable    = false
}
