-- A batch of spans, one list a column; times are microseconds since 1970. A span that is there stays as it is;
-- which one stays of two within the batch isn't said. The rows are the ids of the new ones.
-- Lists of Python are as fast here as Arrow, and executemany is thirty times slower.
INSERT OR IGNORE INTO spans
SELECT
  trace_id,
  span_id,
  parent_span_id,
  service_name,
  name,
  kind,
  make_timestamptz(start_time),
  make_timestamptz(end_time),
  status_code,
  status_message,
  attributes_json,
  events_json,
  links_json,
  trace_flags,
  trace_state,
  junjo_id,
  junjo_parent_id,
  junjo_span_type,
  junjo_wf_state_start,
  junjo_wf_state_end,
  junjo_wf_graph_structure,
  junjo_wf_store_id
FROM (SELECT
  unnest($trace_id::VARCHAR[]) AS trace_id,
  unnest($span_id::VARCHAR[]) AS span_id,
  unnest($parent_span_id::VARCHAR[]) AS parent_span_id,
  unnest($service_name::VARCHAR[]) AS service_name,
  unnest($name::VARCHAR[]) AS name,
  unnest($kind::VARCHAR[]) AS kind,
  unnest($start_time::BIGINT[]) AS start_time,
  unnest($end_time::BIGINT[]) AS end_time,
  unnest($status_code::VARCHAR[]) AS status_code,
  unnest($status_message::VARCHAR[]) AS status_message,
  unnest($attributes_json::VARCHAR[]) AS attributes_json,
  unnest($events_json::VARCHAR[]) AS events_json,
  unnest($links_json::VARCHAR[]) AS links_json,
  unnest($trace_flags::INTEGER[]) AS trace_flags,
  unnest($trace_state::VARCHAR[]) AS trace_state,
  unnest($junjo_id::VARCHAR[]) AS junjo_id,
  unnest($junjo_parent_id::VARCHAR[]) AS junjo_parent_id,
  unnest($junjo_span_type::VARCHAR[]) AS junjo_span_type,
  unnest($junjo_wf_state_start::VARCHAR[]) AS junjo_wf_state_start,
  unnest($junjo_wf_state_end::VARCHAR[]) AS junjo_wf_state_end,
  unnest($junjo_wf_graph_structure::VARCHAR[]) AS junjo_wf_graph_structure,
  unnest($junjo_wf_store_id::VARCHAR[]) AS junjo_wf_store_id
)
RETURNING trace_id, span_id;
