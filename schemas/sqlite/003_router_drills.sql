-- Rollback drills: what was injected into a synthetic canary, and what it took to be rid of it.

CREATE TABLE drills (
    id INTEGER PRIMARY KEY,
    time REAL NOT NULL, -- seconds since the epoch
    actor TEXT NOT NULL,
    passed INTEGER NOT NULL CHECK (passed IN (0, 1)),
    results TEXT NOT NULL CHECK (json_valid(results))
) STRICT;
