-- Errors by service and hour of today
SELECT service, hour, sum("count") AS records, sum(errors) AS errors, round(100.0 * sum(errors) / sum("count"), 1) AS percent
FROM metrics
WHERE dt = current_date
GROUP BY service, hour
ORDER BY errors DESC, service, hour
