-- The newest migration in force: goose adds a row for each one up (is_applied 1) or down (0).
SELECT coalesce(max(version_id), 0)
FROM goose_db_version AS v
WHERE is_applied = 1
  AND id = (SELECT max(id) FROM goose_db_version WHERE version_id = v.version_id);
