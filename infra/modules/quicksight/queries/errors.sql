-- Records of errors, and of answers of 500 and above
SELECT "time", service, severity_text, status, exception_type, body, trace_id, source, line
FROM "${database}".cleaned
WHERE dt >= current_date - INTERVAL '${days}' DAY AND (severity_number >= 17 OR status >= 500)
