-- Entries behind a key, as they were read.
SELECT key, span, resource FROM cutover_quarantine WHERE key > $after ORDER BY key LIMIT $most;
