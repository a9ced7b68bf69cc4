"""Spans as the frontend asks for them: read from DuckDB as JSON text, and sent on unparsed."""
