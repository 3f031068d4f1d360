-- Exceptions of today, the most frequent first
SELECT exception_type, count(*) AS times, max(exception_message) AS example, min("time") AS first_time
FROM cleaned
WHERE dt = current_date AND exception_type IS NOT NULL
GROUP BY exception_type
ORDER BY times DESC
LIMIT 50
