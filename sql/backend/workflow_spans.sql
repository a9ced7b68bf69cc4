SELECT answer FROM span_answers
WHERE junjo_span_type = 'workflow' AND service_name = $service
ORDER BY start_time DESC, trace_id, span_id;
