"""The router's SQL by name: one statement a file in sql/router, migrations in schemas/sqlite.

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
    """Text of sql/router/`name`.sql."""
    return (_folder("_sql", "sql/router") / f"{name}.sql").read_text("utf-8")


@cache
def migrations() -> tuple[str, ...]:
    """Scripts schemas/sqlite/NNN_router*.sql in order; the first takes a database from version 0 to 1."""
    folder = _folder("_schema", "schemas/sqlite")
    return tuple(file.read_text("utf-8") for file in sorted(folder.glob("[0-9][0-9][0-9]_router*.sql")))
