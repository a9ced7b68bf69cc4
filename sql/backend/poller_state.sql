-- The cursor that both backends share; the Go backend starts from it.
SELECT last_key FROM poller_state WHERE id = 1;
