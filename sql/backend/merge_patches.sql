-- The patches of these spans, as state_patches_insert takes them.
SELECT
  patch_id,
  service_name,
  trace_id,
  span_id,
  workflow_id,
  node_id,
  epoch_us(event_time),
  patch_json::VARCHAR,
  patch_store_id
FROM state_patches
SEMI JOIN (SELECT
  unnest($trace_id::VARCHAR[]) AS trace_id,
  unnest($span_id::VARCHAR[]) AS span_id
) USING (trace_id, span_id);
