SELECT id, time, actor, action, reason, before, after, outcome, hash
FROM audit
WHERE id > :after
ORDER BY id
LIMIT :limit
