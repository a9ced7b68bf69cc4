-- Go's order: keys of the same second come as SQLite finds them.
SELECT id, key, name, created_at FROM api_keys ORDER BY created_at DESC;
