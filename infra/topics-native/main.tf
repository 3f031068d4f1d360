# The catalogue's topics as resources of Terraform's own, in place of the function `topics`: for AWS provider 6.38 and newer, which has
# them. A state of its own, after the cluster is there.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.38, < 7"
    }
  }
}

locals {
  catalogue    = jsondecode(file(coalesce(var.catalogue, "${path.module}/../../crates/domain/topics.json")))
  dead_letters = local.catalogue.dead_letters

  topics = merge(
    {
      for topic in local.catalogue.topics : topic.name => {
        partitions        = coalesce(var.partitions, topic.partitions)
        retention_ms      = topic.retention_ms
        cleanup_policy    = topic.cleanup_policy
        max_message_bytes = topic.max_message_bytes
      }
    },
    {
      for topic in local.catalogue.topics : topic.dead_letter_topic => {
        partitions        = local.dead_letters.partitions
        retention_ms      = local.dead_letters.retention_ms
        cleanup_policy    = local.dead_letters.cleanup_policy
        max_message_bytes = local.dead_letters.max_message_bytes
      }
    },
  )
}

resource "aws_msk_topic" "this" {
  for_each = local.topics

  cluster_arn        = var.cluster_arn
  name               = each.key
  partition_count    = each.value.partitions
  replication_factor = var.replication

  # Values are texts.
  configs = jsonencode({
    "retention.ms"      = tostring(each.value.retention_ms)
    "cleanup.policy"    = each.value.cleanup_policy
    "max.message.bytes" = tostring(each.value.max_message_bytes)
  })

  lifecycle {
    # Another name, cluster or replication would delete the topic with its records, and so would its going from the catalogue.
    prevent_destroy = true
  }
}
