-- One statement, so that of two first users at once only one is made; no row comes back for the other.
INSERT INTO users (email, password_hash)
SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM users)
RETURNING id;
