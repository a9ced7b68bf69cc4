"""Logging: one line an event to stderr, JSON for machines or text for people, each with its request's id.

Levels: ERROR is an exception, WARNING something degraded, INFO a change of state, DEBUG detail. Never log a session, a
password, an API key or a provider's key, nor an address with its query.
"""

from __future__ import annotations

import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC
from typing import TYPE_CHECKING

import orjson
from loguru import logger

if TYPE_CHECKING:
    from loguru import Message, Record

#: Id of the request that is being answered; empty outside of one.
request_id: ContextVar[str] = ContextVar("request_id", default="")

_TEXT = "{time:YYYY-MM-DD HH:mm:ss.SSS} {level: <7} {extra[request_id]} {message}\n{exception}"


def setup(level: str, form: str) -> None:
    """Send every line of at least `level` to stderr, as ``json`` or ``text``; may be called again."""
    logger.remove()
    logger.configure(patcher=_with_request)
    if form == "json":
        logger.add(_write_json, level=level, format=lambda record: "{message}", diagnose=False)
    else:
        logger.add(sys.stderr, level=level, format=lambda record: _TEXT, diagnose=False)
    logging.basicConfig(handlers=[_Forward()], level=logging.WARNING, force=True)


def _with_request(record: Record) -> None:
    record["extra"].setdefault("request_id", request_id.get())


def _write_json(message: Message) -> None:
    record = message.record
    line = {
        "time": record["time"].astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record["level"].name,
        "logger": record["name"],
        "message": record["message"],
        **record["extra"],
    }
    if (error := record["exception"]) is not None:
        line["exception"] = "".join(traceback.format_exception(error.type, error.value, error.traceback))
    sys.stderr.write(orjson.dumps(line, default=str).decode() + "\n")


class _Forward(logging.Handler):
    """Hands records of standard-library loggers on."""

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname if record.levelname in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL") else "INFO"

        def named(line: Record) -> None:
            line["name"] = record.name

        logger.patch(named).opt(exception=record.exc_info).log(level, "{}", record.getMessage())
