-- Ours alone: entries of the ingestion service's log that can't become rows, each with its reason, until they are replayed.
CREATE TABLE cutover_quarantine (
  key BLOB NOT NULL,
  span BLOB NOT NULL, -- the bytes as they came
  resource BLOB NOT NULL,
  reason VARCHAR NOT NULL,
  put_aside_at TIMESTAMP NOT NULL -- UTC
);
