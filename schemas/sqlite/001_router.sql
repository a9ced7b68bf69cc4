-- The router's state file: what must survive a restart, and who changed it when.

CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    weight INTEGER NOT NULL CHECK (weight BETWEEN 0 AND 10000), -- hundredths of a percent
    salt TEXT NOT NULL CHECK (length(salt) = 16), -- 64 bits, hex
    routes TEXT CHECK (routes IS NULL OR json_valid(routes)), -- NULL: those of the configuration apply
    revision INTEGER NOT NULL
) STRICT;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL, -- UTC, ISO 8601
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    reason TEXT NOT NULL,
    before TEXT NOT NULL CHECK (json_valid(before)),
    after TEXT NOT NULL CHECK (json_valid(after)),
    outcome TEXT NOT NULL,
    hash TEXT NOT NULL -- sha256 over this row and the hash of the one before
) STRICT;

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN
    SELECT raise(ABORT, 'audit is append-only');
END;

CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN
    SELECT raise(ABORT, 'audit is append-only');
END;
