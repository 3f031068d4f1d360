variable "name" {
  description = "The name of the rule is this and `-schedule`."
  type        = string
}

variable "schedule" {
  description = "When the function is called, such as rate(1 minute)."
  type        = string
}

variable "function_arn" {
  description = "The ARN that is called: that of a function's alias, `live`."
  type        = string
}

variable "function_name" {
  description = "The function's name."
  type        = string
}
