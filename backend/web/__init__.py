"""What every request and answer of the backend goes through, as plain ASGI; no feature and no database here."""
