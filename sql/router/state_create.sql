INSERT OR IGNORE INTO state (id, weight, salt, routes, revision)
VALUES (1, 0, :salt, NULL, 1)
