-- Records of today by service and format
SELECT service, format, count(*) AS records
FROM cleaned
WHERE dt = current_date
GROUP BY service, format
ORDER BY records DESC
