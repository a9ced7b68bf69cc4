-- Go's order: users of the same second come as SQLite finds them.
SELECT id, email, created_at FROM users ORDER BY created_at DESC;
