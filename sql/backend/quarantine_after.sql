-- Entries behind a key, as they were read, with their reasons.
SELECT key, span, resource, reason FROM cutover_quarantine WHERE key > $after ORDER BY key LIMIT $most;
