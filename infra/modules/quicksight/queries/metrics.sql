-- Records, errors and latency of each service and minute
SELECT service, window_start, "count" AS records, errors, error_rate, latency_p50, latency_p95, latency_p99
FROM "${database}".metrics
WHERE dt >= current_date - INTERVAL '${days}' DAY
