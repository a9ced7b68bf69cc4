-- Never back: spans that are read again, or late, don't make others be read again.
UPDATE cutover_cursor SET key = greatest(key, $key::BLOB);
