-- The newest roots of a service in whose trace, perhaps in another service, there is a call of an LLM.
SELECT answer FROM span_answers
WHERE service_name = $service
  AND parent_span_id IS NULL
  AND trace_id IN (SELECT trace_id FROM spans WHERE attributes_json ->> 'openinference.span.kind' = 'LLM')
ORDER BY start_time DESC, trace_id, span_id
LIMIT 500;
