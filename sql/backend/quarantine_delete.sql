DELETE FROM cutover_quarantine WHERE key IN (SELECT unnest($key::BLOB[]));
