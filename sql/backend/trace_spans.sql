SELECT answer FROM span_answers WHERE trace_id = $trace ORDER BY start_time DESC, span_id;
