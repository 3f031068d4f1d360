-- The latest errors of today, with where they stand in the raw objects
SELECT "time", service, severity_text, body, source, line
FROM cleaned
WHERE dt = current_date AND (severity_number >= 17 OR status >= 500)
ORDER BY "time" DESC
LIMIT 100
