INSERT INTO api_keys (id, key, name) VALUES (?, ?, ?) RETURNING created_at;
