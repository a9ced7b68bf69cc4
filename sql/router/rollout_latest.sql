SELECT id, plan, phase, step, elapsed, samples, quarantined, judge, started FROM rollouts ORDER BY id DESC LIMIT 1
