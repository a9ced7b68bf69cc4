-- An entry that is there already, since the log was read again, stays as it is.
INSERT INTO cutover_quarantine
SELECT key, span, resource, reason, make_timestamp($now::BIGINT)
FROM (SELECT
  unnest($key::BLOB[]) AS key,
  unnest($span::BLOB[]) AS span,
  unnest($resource::BLOB[]) AS resource,
  unnest($reason::VARCHAR[]) AS reason
)
WHERE key NOT IN (SELECT key FROM cutover_quarantine)
RETURNING key;
