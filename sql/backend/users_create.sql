INSERT INTO users (email, password_hash) VALUES (?, ?);
