-- Rollouts: where each one is, what was decided, and on what evidence.

CREATE TABLE rollouts (
    id INTEGER PRIMARY KEY,
    plan TEXT NOT NULL CHECK (json_valid(plan)),
    digest TEXT NOT NULL, -- of the plan, 16 hex digits
    phase TEXT NOT NULL CHECK (phase IN ('running', 'paused', 'completed', 'rolled_back', 'aborted')),
    step INTEGER NOT NULL, -- from 0; the number of steps is the watch
    elapsed REAL NOT NULL, -- seconds of serving in this step
    samples INTEGER NOT NULL, -- requests of the canary in this step
    quarantined TEXT NOT NULL CHECK (json_valid(quarantined)), -- labels of routes
    judge TEXT NOT NULL CHECK (json_valid(judge)), -- what the gates remember
    started TEXT NOT NULL, -- UTC, ISO 8601
    saved TEXT NOT NULL
) STRICT;

CREATE TABLE decisions (
    id INTEGER PRIMARY KEY,
    rollout INTEGER NOT NULL REFERENCES rollouts (id),
    time TEXT NOT NULL, -- UTC, ISO 8601
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    step TEXT NOT NULL,
    percent REAL NOT NULL, -- the weight from then on
    gate TEXT, -- the one that decided
    words TEXT NOT NULL,
    evidence TEXT NOT NULL CHECK (json_valid(evidence)) -- enough to come to the same verdict again
) STRICT;
