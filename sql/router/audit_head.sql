-- The last id ever given out and the hash the next row goes on from.
SELECT
    coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0) AS id,
    (SELECT hash FROM audit ORDER BY id DESC LIMIT 1) AS hash
