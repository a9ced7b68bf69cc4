SELECT id, time, actor, action, reason, before, after, outcome, hash
FROM audit
WHERE id < :before
ORDER BY id DESC
LIMIT :limit
