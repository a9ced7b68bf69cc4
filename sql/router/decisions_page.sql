SELECT id, rollout, time, actor, action, step, percent, gate, words
FROM decisions
WHERE id < :before
ORDER BY id DESC
LIMIT :limit
