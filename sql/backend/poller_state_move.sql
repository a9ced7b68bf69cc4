-- Never back: what the other backend has read is in the file.
INSERT INTO poller_state (id, last_key) VALUES (1, ?1)
ON CONFLICT (id) DO UPDATE SET last_key = ?1 WHERE last_key IS NULL OR last_key < ?1;
