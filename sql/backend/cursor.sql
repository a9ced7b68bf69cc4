SELECT key FROM cutover_cursor;
