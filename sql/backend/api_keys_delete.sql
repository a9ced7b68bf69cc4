DELETE FROM api_keys WHERE key = ? RETURNING id;
