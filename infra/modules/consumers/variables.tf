variable "name" {
  description = "Prefix of all names, and the ECS cluster's name."
  type        = string
}

variable "region" {
  description = "The provider's region, for the containers' AWS clients and logs."
  type        = string
}

variable "vpc_id" {
  description = "The VPC that the instances run in."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, one a zone."
  type        = list(string)
}

variable "kms_key_arn" {
  description = "The key that encrypts the logs."
  type        = string
}

variable "secret_key_arns" {
  description = "Further keys that encrypt secrets of services."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "instances" {
  description = "The Auto Scaling group: instance types (all of one architecture, the first preferred), fewest and most instances, how many of them are always on demand, the share of spot instances among the others in per cent, and disk in GiB."
  type = object({
    types          = optional(list(string), ["m7g.large", "m6g.large"])
    min            = optional(number, 2)
    max            = optional(number, 10)
    on_demand_base = optional(number, 2)
    spot_percent   = optional(number, 0)
    disk_gib       = optional(number, 30)
  })
  default  = {}
  nullable = false

  validation {
    condition     = length(var.instances.types) > 0 && length(distinct([for type in var.instances.types : can(regex("^[a-z]+[0-9]+g[a-z]*\\.", type))])) == 1
    error_message = "instances.types must name at least one instance type, and all must have one architecture: Graviton (m7g.large) or x86 (m7i.large)."
  }

  validation {
    condition     = var.instances.min >= 1 && var.instances.max >= var.instances.min
    error_message = "instances.min must be at least 1, and instances.max at least instances.min."
  }

  validation {
    condition     = var.instances.spot_percent >= 0 && var.instances.spot_percent <= 100
    error_message = "instances.spot_percent must be between 0 and 100."
  }

  validation {
    condition     = var.instances.on_demand_base >= 0 && var.instances.disk_gib >= 30
    error_message = "instances.on_demand_base must not be negative, and instances.disk_gib at least 30: the image's own size."
  }
}

variable "services" {
  description = <<-END
    What runs, by name:
    - image: repository and tag or digest; program: its path in the image; command: the program's arguments.
    - cpu (1024 is one processor), memory (MiB, a hard limit), min and max (tasks).
    - environment, secrets (variable = ARN of a secret or parameter), policies (JSON by a name of their own).
    - scaling: groups (consumer group = topics that it reads), partitions (of the topic with most; more tasks would own none), lag_per_task (records of lag that one task may have). Null: scales on processor load.
    - load_balancer: a target group and the container's port.
    - is_on_demand: a task definition and its roles alone, for `aws ecs run-task`; nothing runs by itself.
  END
  type = map(object({
    image       = string
    program     = string
    command     = optional(list(string), [])
    cpu         = optional(number, 256)
    memory      = optional(number, 256)
    min         = optional(number, 1)
    max         = optional(number, 3)
    environment = optional(map(string), {})
    secrets     = optional(map(string), {})
    policies    = optional(map(string), {})
    scaling = optional(object({
      groups       = map(set(string))
      partitions   = number
      lag_per_task = optional(number, 10000)
    }))
    load_balancer = optional(object({ target_group_arn = string, port = number }))
    is_on_demand  = optional(bool, false)
  }))

  validation {
    condition     = alltrue([for service in values(var.services) : service.min >= 1 && service.max >= service.min])
    error_message = "Each of services must have min of at least 1 and max of at least min; wrong: ${join(", ", [for name, service in var.services : name if !(service.min >= 1 && service.max >= service.min)])}."
  }

  validation {
    # CloudWatch evaluates at most ten metrics in one expression: two a topic, and the number of tasks.
    condition     = alltrue([for service in values(var.services) : try(sum([for topics in values(service.scaling.groups) : length(topics)]) <= 4, true)])
    error_message = "Each of services may scale on the lag of at most four topics."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.memory >= 64 && service.cpu >= 128])
    error_message = "Each of services must have cpu of at least 128 and memory of at least 64; wrong: ${join(", ", [for name, service in var.services : name if !(service.memory >= 64 && service.cpu >= 128)])}."
  }
}

variable "kafka_cluster_name" {
  description = "The MSK cluster whose consumer lag scales the services. Null: those that would scale on lag run with min tasks."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Days for which the containers' logs are kept."
  type        = number
  default     = 365
  nullable    = false
}

variable "stop_timeout_seconds" {
  description = "How long a container may take to stop before it is killed. A consumer needs at most 25 s, the edge 30 s."
  type        = number
  default     = 40
  nullable    = false

  validation {
    condition     = var.stop_timeout_seconds >= 35 && var.stop_timeout_seconds <= 120
    error_message = "stop_timeout_seconds must be between 35 and 120: a container that drains takes up to 30 s."
  }
}
