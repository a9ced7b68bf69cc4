"""The backend's SQL by name: one statement a file in sql/backend, schemas in schemas/sqlite and schemas/duckdb.

In a checkout they lie beside the package, in a wheel inside it (`_sql`, `_schema`). No SQL is written in Python,
and nothing here opens a database.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent


def _folder(packaged: str, checkout: str) -> Path:
    inside = _PACKAGE / packaged
    return inside if inside.is_dir() else _PACKAGE.parent / checkout


@cache
def statement(name: str) -> str:
    """Text of sql/backend/`name`.sql."""
    return (_folder("_sql", "sql/backend") / f"{name}.sql").read_text("utf-8")


@cache
def schema(name: str) -> str:
    """Text of schemas/`name`.sql, for example ``sqlite/001_backend``."""
    return (_folder("_schema", "schemas") / f"{name}.sql").read_text("utf-8")
