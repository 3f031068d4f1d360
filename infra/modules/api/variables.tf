variable "name" {
  description = "Prefix of all names."
  type        = string
}

variable "openapi" {
  description = "The OpenAPI document whose operations become the routes: its text."
  type        = string
}

variable "function_name" {
  description = "The function that answers."
  type        = string
}

variable "function_alias" {
  description = "The alias of it that is called."
  type        = string
}

variable "function_invoke_arn" {
  description = "That alias's ARN for API Gateway."
  type        = string
}

variable "throttle" {
  description = "Requests a second and burst for every route, and other figures for some: by route, such as `POST /events`."
  type = object({
    rate   = optional(number, 2000)
    burst  = optional(number, 1000)
    routes = optional(map(object({ rate = number, burst = number })), {})
  })
  default  = {}
  nullable = false
}

variable "cors_origins" {
  description = "Origins whose pages may call the API, such as https://shop.example. Empty: none."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "jwt" {
  description = "Who issues the tokens that callers must have (OpenID Connect): issuer, audiences, and scopes that a token needs. Null: the API is open to everybody."
  type = object({
    issuer   = string
    audience = set(string)
    scopes   = optional(set(string), [])
  })
  default = null

  validation {
    condition     = var.jwt == null || try(startswith(var.jwt.issuer, "https://") && length(var.jwt.audience) > 0, false)
    error_message = "jwt.issuer must begin with https://, and jwt.audience must not be empty."
  }
}

variable "domain" {
  description = "A domain name of your own: its certificate in this region, and the Route 53 zone that gets its record (null: you make the record)."
  type = object({
    name            = string
    certificate_arn = string
    zone_id         = optional(string)
  })
  default = null
}

variable "kms_key_arn" {
  description = "The key that encrypts the access log."
  type        = string
}

variable "log_retention_days" {
  description = "Days for which the access log is kept."
  type        = number
  default     = 365
  nullable    = false
}
