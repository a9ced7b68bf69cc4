-- A batch of state patches, one list a column; times are microseconds since 1970.
INSERT OR IGNORE INTO state_patches
SELECT
  patch_id,
  service_name,
  trace_id,
  span_id,
  workflow_id,
  node_id,
  make_timestamptz(event_time),
  patch_json,
  patch_store_id
FROM (SELECT
  unnest($patch_id::VARCHAR[]) AS patch_id,
  unnest($service_name::VARCHAR[]) AS service_name,
  unnest($trace_id::VARCHAR[]) AS trace_id,
  unnest($span_id::VARCHAR[]) AS span_id,
  unnest($workflow_id::VARCHAR[]) AS workflow_id,
  unnest($node_id::VARCHAR[]) AS node_id,
  unnest($event_time::BIGINT[]) AS event_time,
  unnest($patch_json::VARCHAR[]) AS patch_json,
  unnest($patch_store_id::VARCHAR[]) AS patch_store_id
);
