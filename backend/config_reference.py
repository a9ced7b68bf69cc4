"""The settings for readers: the table in docs/backend.md, made from the descriptions in config.py.

`python -m backend.config_reference docs/backend.md` writes it anew between the page's two marks.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from .config import Settings

BEGIN = "<!-- written by python -m backend.config_reference; don't edit by hand -->\n"
END = "<!-- end of what is written by it -->\n"

#: Settings that are flags too, by field name.
_FLAGS = {"host": "--host", "port": "--port"}


def table() -> str:
    """Every setting as a row."""
    rows = ["| variable | default | what |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{field.alias}` | {_default(field)} | {_what(name, field)} |")
    return "\n".join(rows) + "\n"


def updated(page: str) -> str:
    """The page with the table of now between its marks.

    Raises:
        ValueError: a mark is missing.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no marks {BEGIN.strip()!r} and {END.strip()!r}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    return "none" if value is None or value in ("", ()) else f"`{value}`"


def _what(name: str, field: FieldInfo) -> str:
    parts = [field.description or ""]
    if get_origin(field.annotation) is Literal:
        parts.append("one of " + ", ".join(f"`{choice}`" for choice in get_args(field.annotation)))
    if name in _FLAGS:
        parts.append(f"flag `{_FLAGS[name]}`")
    return "; ".join(parts)


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(updated(document.read_text("utf-8")), "utf-8")
