UPDATE state
SET weight = :weight, salt = :salt, routes = :routes, revision = :revision
WHERE id = 1
