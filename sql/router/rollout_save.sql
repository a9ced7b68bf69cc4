INSERT INTO rollouts (id, plan, digest, phase, step, elapsed, samples, quarantined, judge, started, saved)
VALUES (:id, :plan, :digest, :phase, :step, :elapsed, :samples, :quarantined, :judge, :started, :saved)
ON CONFLICT (id) DO UPDATE SET
    phase = excluded.phase,
    step = excluded.step,
    elapsed = excluded.elapsed,
    samples = excluded.samples,
    quarantined = excluded.quarantined,
    judge = excluded.judge,
    saved = excluded.saved
