-- Minutes of today with the longest latencies
SELECT window_start, service, "count" AS records, latency_p50, latency_p95, latency_max, slowest_object, slowest_line
FROM metrics
WHERE dt = current_date AND latency_count > 0
ORDER BY latency_p95 DESC
LIMIT 50
