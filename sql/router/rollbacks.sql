SELECT coalesce(gate, 'operator') AS reason, count(*) AS count
FROM decisions
WHERE action = 'rollback'
GROUP BY 1
