"""The written reference is current, complete and without secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from router.config import Settings, load
from router.config_reference import effective, public, reference
from tests.router.fakes import make_settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"

SECRETS = {"admin_token": "s3cret", "viewer_token": "s3cret", "split": {"override_token": "s3cret"}}


def test_the_document_is_current() -> None:
    assert DOCUMENT.read_text("utf-8") == reference(), "run: python -m router.config_reference > docs/configuration.md"


@pytest.mark.parametrize(
    "row",
    [
        '| `listen` | `"127.0.0.1:8080"` | `CUTOVER_LISTEN` | where clients connect; flag `--listen` |',
        "| `workers` | number of cores | `CUTOVER_WORKERS` |",
        "| `head` | `10s` | `CUTOVER_TIMEOUTS_HEAD` |",
        "| `upstream_verify` | `true` | `CUTOVER_TLS_UPSTREAM_VERIFY` |",
        "| `path` | required |",
        "json, text",
    ],
)
def test_rows(row: str) -> None:
    assert row in reference()


def test_every_section_is_in_it() -> None:
    text = reference()
    for name, field in Settings.model_fields.items():
        assert f"`{name}`" in text or f"[{name}]" in text, field


def test_what_is_in_force_can_be_used_as_file(tmp_path: Path) -> None:
    settings = make_settings(
        tmp_path, timeouts={"head": "250ms"}, route=[{"path": "/a/*", "percent": 5, "methods": ["GET"]}]
    )
    file = tmp_path / "cutover.toml"
    file.write_text(effective(settings))
    assert load({}, {}, file) == settings


@pytest.mark.parametrize("show", [effective, public])
def test_no_secret_is_printed(tmp_path: Path, show: Any) -> None:
    text = str(show(make_settings(tmp_path, **SECRETS)))
    assert "s3cret" not in text
    assert "set" in text
