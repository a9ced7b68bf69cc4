-- Ours alone; the Go backend doesn't look at it. One row: the key of the last entry of the ingestion service's log whose
-- rows are in this file, empty before the first. It moves in the transaction that writes the rows, and never back.
CREATE TABLE cutover_cursor (key BLOB NOT NULL);
INSERT INTO cutover_cursor VALUES (''::BLOB);
