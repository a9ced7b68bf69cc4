-- Which spans are in the file, a part at a time, in the order they were written.
SELECT rowid, trace_id, span_id FROM spans WHERE rowid >= $first ORDER BY rowid LIMIT $most;
