variable "name" {
  description = "Prefix of all names."
  type        = string
  default     = "millrace-dev"
}

variable "region" {
  description = "The region."
  type        = string
  default     = "eu-central-1"
}

variable "image_tag" {
  description = "The images' tag."
  type        = string
}

variable "image_registry" {
  description = "Registry and path that hold the images. Null: ECR repositories made here."
  type        = string
  default     = null
}

variable "dist" {
  description = "Where the artifacts are. Null: dist/ of this repository."
  type        = string
  default     = null
}

variable "function_sha256" {
  description = "Artifacts to run in place of the manifest's, by function: rolls a function back."
  type        = map(string)
  default     = {}
}

variable "function_architecture" {
  description = "The functions' architecture: arm64 or x86_64."
  type        = string
  default     = "arm64"
}

variable "environment" {
  description = "Environment variables of every program, over those that the bundle sets."
  type        = map(string)
  default     = {}
}

variable "notifier_config" {
  description = "The text of a notifier.toml."
  type        = string
  default     = null
  sensitive   = true
}

variable "alarm_emails" {
  description = "Addresses that get the alarms."
  type        = set(string)
  default     = []
}

variable "chats_secret_arn" {
  description = "A secret with the webhooks of chats that get alarms and outages: {\"slack\": URL, \"teams\": URL}."
  type        = string
  default     = null
}
