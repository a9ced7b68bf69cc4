SELECT email, password_hash FROM users WHERE email = ?;
