-- Of these spans, the places (in the given lists, from 0) of those that aren't in the file.
SELECT place
FROM (SELECT
  unnest(range(len($trace_id::VARCHAR[]))) AS place,
  unnest($trace_id::VARCHAR[]) AS trace_id,
  unnest($span_id::VARCHAR[]) AS span_id
)
ANTI JOIN spans USING (trace_id, span_id)
ORDER BY place;
