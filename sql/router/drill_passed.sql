SELECT time FROM drills WHERE passed = 1 ORDER BY time DESC LIMIT 1
