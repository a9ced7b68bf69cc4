-- Names of the tables in the file.
SELECT table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary;
