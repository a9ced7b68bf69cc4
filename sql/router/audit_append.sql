INSERT INTO audit (id, time, actor, action, reason, before, after, outcome, hash)
VALUES (:id, :time, :actor, :action, :reason, :before, :after, :outcome, :hash)
