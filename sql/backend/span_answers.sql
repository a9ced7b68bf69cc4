-- Each span as the JSON object that clients get, in UTF-8. A view of the connection: nothing of it is in the file.
-- * JSON columns go out as they are stored: to_json would read and write them again, for twice the time.
-- * Times are RFC 3339 in UTC without trailing zeros in the fraction, as Go writes them.
-- * DuckDB takes NaN, Infinity and trailing commas for JSON, and a workflow's state is what some program sent. Go
--   answers null for such a value, and a browser couldn't read the answer that it is in. The pattern finds them
--   outside of strings. The other JSON columns are written by the backends, which write strict JSON.
CREATE OR REPLACE TEMP VIEW span_answers AS
SELECT
  trace_id,
  span_id,
  parent_span_id,
  service_name,
  start_time,
  junjo_span_type,
  encode(concat(
    '{"attributes_json":', coalesce(attributes_json::VARCHAR, 'null'),
    ',"events_json":', coalesce(events_json::VARCHAR, 'null'),
    ',"links_json":', coalesce(links_json::VARCHAR, 'null'),
    ',"junjo_wf_state_start":', CASE
      WHEN regexp_matches(junjo_wf_state_start::VARCHAR, '^(?:[^"]|"(?:[^"\\]|\\.)*")*(?i:nan|inf|,\s*[\]}])', 's')
      THEN 'null' ELSE coalesce(junjo_wf_state_start::VARCHAR, 'null') END,
    ',"junjo_wf_state_end":', CASE
      WHEN regexp_matches(junjo_wf_state_end::VARCHAR, '^(?:[^"]|"(?:[^"\\]|\\.)*")*(?i:nan|inf|,\s*[\]}])', 's')
      THEN 'null' ELSE coalesce(junjo_wf_state_end::VARCHAR, 'null') END,
    ',"junjo_wf_graph_structure":', CASE
      WHEN regexp_matches(junjo_wf_graph_structure::VARCHAR, '^(?:[^"]|"(?:[^"\\]|\\.)*")*(?i:nan|inf|,\s*[\]}])', 's')
      THEN 'null' ELSE coalesce(junjo_wf_graph_structure::VARCHAR, 'null') END,
    ',',
    substr(to_json({
      'trace_id': trace_id,
      'span_id': span_id,
      'parent_span_id': parent_span_id,
      'service_name': service_name,
      'name': name,
      'kind': kind,
      'start_time': replace(make_timestamp(epoch_us(start_time))::VARCHAR, ' ', 'T') || 'Z',
      'end_time': replace(make_timestamp(epoch_us(end_time))::VARCHAR, ' ', 'T') || 'Z',
      'status_code': status_code,
      'status_message': status_message,
      'trace_flags': trace_flags,
      'trace_state': trace_state,
      'junjo_id': junjo_id,
      'junjo_parent_id': junjo_parent_id,
      'junjo_span_type': junjo_span_type,
      'junjo_wf_store_id': junjo_wf_store_id
    })::VARCHAR, 2)
  )) AS answer
FROM spans;
