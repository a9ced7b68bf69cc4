-- The newest roots of a service. Go gives spans of one time in any order, here it is always the same.
SELECT answer FROM span_answers
WHERE service_name = $service AND parent_span_id IS NULL
ORDER BY start_time DESC, trace_id, span_id
LIMIT 500;
