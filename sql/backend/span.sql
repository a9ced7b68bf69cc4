SELECT answer FROM span_answers WHERE trace_id = $trace AND span_id = $span;
