SELECT d.id, d.rollout, d.time, d.actor, d.action, d.step, d.percent, d.gate, d.words, d.evidence, r.plan
FROM decisions AS d
JOIN rollouts AS r ON r.id = d.rollout
WHERE d.id = :id
