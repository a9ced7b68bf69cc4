INSERT OR REPLACE INTO decisions (id, rollout, time, actor, action, step, percent, gate, words, evidence)
VALUES (:id, :rollout, :time, :actor, :action, :step, :percent, :gate, :words, :evidence)
