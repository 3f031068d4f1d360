output "stream_name" {
  description = "The stream of raw logs: log-shipper's destination is firehose://NAME."
  value       = aws_kinesis_firehose_delivery_stream.raw_logs.name
}

output "log_group_name" {
  description = "The log group in which the stream says what it cannot deliver."
  value       = aws_cloudwatch_log_group.delivery.name
}

output "shipper_policy" {
  description = "What log-shipper may do: put records into the stream, and see whether it is there."
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "RawLogs"
      Effect   = "Allow"
      Action   = ["firehose:DescribeDeliveryStream", "firehose:PutRecordBatch"]
      Resource = aws_kinesis_firehose_delivery_stream.raw_logs.arn
    }]
  })
}
