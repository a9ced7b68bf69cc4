INSERT INTO drills (time, actor, passed, results)
VALUES (:time, :actor, :passed, :results)
