SELECT count(*) FROM cutover_quarantine;
