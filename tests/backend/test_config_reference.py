"""The table of settings in docs/backend.md is current and complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.config import Settings
from backend.config_reference import table, updated

DOCUMENT = Path(__file__).parents[2] / "docs" / "backend.md"


def test_the_page_is_current() -> None:
    page = DOCUMENT.read_text("utf-8")
    assert page == updated(page), "run: make docs"


def test_every_setting_is_in_it_with_a_description() -> None:
    for field in Settings.model_fields.values():
        assert f"| `{field.alias}` |" in table()
        assert field.description


@pytest.mark.parametrize(
    "row",
    [
        "| `JUNJO_SESSION_SECRET` | required | signs session cookies",
        "| `CUTOVER_BACKEND_PORT` | `8000` | HTTP port; 0 takes a free one; flag `--port` |",
        "| `JUNJO_ALLOW_ORIGINS` | none |",
        "one of `json`, `text` |",
    ],
)
def test_rows(row: str) -> None:
    assert row in table()


def test_a_page_without_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="marks"):
        updated("# The Python backend\n")
