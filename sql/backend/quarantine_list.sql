-- The oldest first: key in hex, reason, bytes, when it was put aside (RFC 3339).
SELECT
  lower(hex(key)),
  reason,
  octet_length(span) + octet_length(resource),
  replace(put_aside_at::VARCHAR, ' ', 'T') || 'Z'
FROM cutover_quarantine
ORDER BY key
LIMIT $most;
