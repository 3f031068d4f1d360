# What one principal may do on an MSK cluster with IAM. Actions and resources:
# https://docs.aws.amazon.com/msk/latest/developerguide/kafka-actions.html

locals {
  # A topic's ARN is the cluster's with `topic` for `cluster`, and the topic's name after the cluster's uuid.
  topics           = replace(var.cluster_arn, ":cluster/", ":topic/")
  groups           = replace(var.cluster_arn, ":cluster/", ":group/")
  transactional_id = replace(var.cluster_arn, ":cluster/", ":transactional-id/")

  connects_idempotently = length(var.writes) > 0

  candidates = [
    {
      applies = true
      statement = {
        Sid    = "Connect"
        Effect = "Allow"
        Action = concat(
          ["kafka-cluster:Connect", "kafka-cluster:DescribeCluster"],
          local.connects_idempotently ? ["kafka-cluster:WriteDataIdempotently"] : [],
        )
        Resource = [var.cluster_arn]
      }
    },
    {
      applies = length(var.reads) > 0
      statement = {
        Sid    = "Read"
        Effect = "Allow"
        # Size limits of a topic and of its dead-letter topic are compared at the start.
        Action   = ["kafka-cluster:DescribeTopic", "kafka-cluster:DescribeTopicDynamicConfiguration", "kafka-cluster:ReadData"]
        Resource = [for topic in sort(var.reads) : "${local.topics}/${topic}"]
      }
    },
    {
      applies = length(var.writes) > 0
      statement = {
        Sid      = "Write"
        Effect   = "Allow"
        Action   = ["kafka-cluster:DescribeTopic", "kafka-cluster:DescribeTopicDynamicConfiguration", "kafka-cluster:WriteData"]
        Resource = [for topic in sort(var.writes) : "${local.topics}/${topic}"]
      }
    },
    {
      applies = length(var.groups) > 0
      statement = {
        Sid      = "Groups"
        Effect   = "Allow"
        Action   = ["kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"]
        Resource = [for group in sort(var.groups) : "${local.groups}/${group}"]
      }
    },
    {
      applies = length(var.describes) > 0
      statement = {
        Sid    = "Describe"
        Effect = "Allow"
        Action = ["kafka-cluster:DescribeGroup", "kafka-cluster:DescribeTopic"]
        Resource = concat(
          [for topic in sort(var.describes) : "${local.topics}/${topic}"],
          ["${local.groups}/${var.described_groups}"],
        )
      }
    },
    {
      applies = var.is_transactional
      statement = {
        Sid      = "Transactions"
        Effect   = "Allow"
        Action   = ["kafka-cluster:AlterTransactionalId", "kafka-cluster:DescribeTransactionalId"]
        Resource = ["${local.transactional_id}/millrace-*"]
      }
    },
    {
      applies = length(var.administers) > 0
      statement = {
        Sid    = "Administer"
        Effect = "Allow"
        Action = [
          "kafka-cluster:AlterTopic",
          "kafka-cluster:AlterTopicDynamicConfiguration",
          "kafka-cluster:CreateTopic",
          "kafka-cluster:DescribeTopic",
          "kafka-cluster:DescribeTopicDynamicConfiguration",
        ]
        Resource = [for topic in sort(var.administers) : "${local.topics}/${topic}"]
      }
    },
  ]
}
