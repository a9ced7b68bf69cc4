-- As a JSON array; an empty table gives no row.
SELECT encode(to_json(list(service_name ORDER BY service_name))::VARCHAR)
FROM (SELECT DISTINCT service_name FROM spans)
HAVING count(*) > 0;
