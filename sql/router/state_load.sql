SELECT weight, salt, routes, revision FROM state WHERE id = 1
