-- Whole spans by their rowids, as spans_insert takes them.
SELECT
  trace_id,
  span_id,
  parent_span_id,
  service_name,
  name,
  kind,
  epoch_us(start_time),
  epoch_us(end_time),
  status_code,
  status_message,
  attributes_json::VARCHAR,
  events_json::VARCHAR,
  links_json::VARCHAR,
  trace_flags,
  trace_state,
  junjo_id,
  junjo_parent_id,
  junjo_span_type,
  junjo_wf_state_start::VARCHAR,
  junjo_wf_state_end::VARCHAR,
  junjo_wf_graph_structure::VARCHAR,
  junjo_wf_store_id
FROM spans
WHERE rowid BETWEEN $first AND $last AND rowid IN (SELECT unnest($rows::BIGINT[]))
ORDER BY rowid;
