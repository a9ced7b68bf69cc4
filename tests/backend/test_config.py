"""Settings: sources, defaults, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend.config import Settings, load
from backend.errors import ConfigError

SECRET = {"JUNJO_SESSION_SECRET": "s3cret"}


def test_defaults_are_the_product_s() -> None:
    settings = load({}, SECRET)
    assert settings.sqlite_path == Path("/dbdata/sqlite/junjo.db")
    assert settings.duckdb_path == Path("/dbdata/duckdb/otel_data.db")
    assert (settings.port, settings.poll_interval, settings.batch_size) == (8000, 5, 100)
    assert settings.sqlite_journal == "delete"
    assert settings.replica_path == Path("/dbdata/duckdb/cutover_replica/otel_data.db")


def test_flags_come_before_variables_and_these_before_defaults() -> None:
    environ = {**SECRET, "CUTOVER_BACKEND_PORT": "1", "CUTOVER_BACKEND_HOST": "::1", "LOG_LEVEL": ""}
    settings = load({"port": "2", "host": None}, environ)
    assert (settings.port, settings.host, settings.log_level) == (2, "::1", "INFO")


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("JUNJO_ALLOW_ORIGINS", "http://a, http://b,", "allow_origins", ("http://a", "http://b")),
        ("JUNJO_ALLOW_ORIGINS", " , ", "allow_origins", ()),
        ("LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("LOG_FORMAT", "TEXT", "log_format", "text"),
        ("CUTOVER_SQLITE_JOURNAL", "WAL", "sqlite_journal", "wal"),
        ("SPAN_POLL_INTERVAL", "0.5", "poll_interval", 0.5),
    ],
)
def test_values(variable: str, text: str, field: str, value: Any) -> None:
    assert getattr(load({}, {**SECRET, variable: text}), field) == value


@pytest.mark.parametrize(("environment", "domain"), [("production", "example.com"), ("development", "")])
def test_cookies_have_a_domain_only_in_production(environment: str, domain: str) -> None:
    settings = load({}, {**SECRET, "JUNJO_ENV": environment, "JUNJO_PROD_AUTH_DOMAIN": "example.com"})
    assert settings.cookie_domain == domain


@pytest.mark.parametrize("environ", [{}, {"JUNJO_SESSION_SECRET": ""}])
def test_no_secret(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="JUNJO_SESSION_SECRET is not set; give it the same value"):
        load({}, environ)


@pytest.mark.parametrize(
    ("variable", "text", "why"),
    [
        ("CUTOVER_BACKEND_PORT", "http", "CUTOVER_BACKEND_PORT is 'http', but"),
        ("CUTOVER_BACKEND_PORT", "65536", "less than or equal to 65535"),
        ("SPAN_BATCH_SIZE", "0", "SPAN_BATCH_SIZE is '0', but"),
        ("SPAN_POLL_INTERVAL", "nan", "SPAN_POLL_INTERVAL"),
        ("CUTOVER_SQLITE_JOURNAL", "off", "'delete' or 'wal'"),
        ("OPENAI_BASE_URL", "api.openai.com", "OPENAI_BASE_URL"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL"),
    ],
)
def test_a_wrong_value_is_named(variable: str, text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        load({}, {**SECRET, variable: text})


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        load({}, {"LOG_LEVEL": "loud", "SPAN_BATCH_SIZE": "x"})
    assert str(raised.value).count("\n") == 2


def test_secrets_aren_t_shown() -> None:
    names = [name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)]
    environ = {str(Settings.model_fields[name].alias): f"hidden-{name}" for name in names}
    assert len(names) >= 5
    assert "hidden" not in repr(load({}, environ))
