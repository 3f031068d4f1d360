variable "name" {
  description = "Prefix of all names."
  type        = string
  default     = "millrace"
}

variable "region" {
  description = "The region."
  type        = string
  default     = "eu-central-1"
}

variable "dist" {
  description = "Where the artifacts are. Null: dist/ of this repository."
  type        = string
  default     = null
}

variable "image_tag" {
  description = "The images' tag. An older one rolls the consumers back."
  type        = string
}

variable "function_sha256" {
  description = "Artifacts to run in place of the manifest's, by function. Rolls a function back."
  type        = map(string)
  default     = {}
}

variable "notifier_config" {
  description = "The text of a notifier.toml."
  type        = string
  sensitive   = true
}

variable "alarm_emails" {
  description = "Addresses that get the alarms."
  type        = set(string)
}

variable "runbook_url" {
  description = "Where docs/runbook.md of your copy can be read."
  type        = string
}

variable "jwt" {
  description = "Who issues the tokens that callers must have."
  type        = object({ issuer = string, audience = set(string), scopes = optional(set(string), []) })
}

variable "domain" {
  description = "The API's domain name, its certificate and zone. Null: the endpoint that API Gateway makes."
  type        = object({ name = string, certificate_arn = string, zone_id = optional(string) })
  default     = null
}

variable "chats_secret_arn" {
  description = "A secret with the webhooks of chats that get alarms and outages: {\"slack\": URL, \"teams\": URL}."
  type        = string
  default     = null
}
