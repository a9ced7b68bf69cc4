"""Logging: one line an event to stderr, as text for people or as JSON for machines.

Fields of a JSON line: `time` (UTC, ISO 8601), `level`, `process` (supervisor, worker-0, ...), `pid`, `logger`
(module), `message`, `exception` (traceback, only after a crash), and whatever a call adds with `logger.bind(...)`.
Standard-library logging, as of uvicorn, arrives in the same place. Never log a token, a cookie, a header value or
a request's query.

    log.setup(settings, process="worker-0")
"""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC
from typing import TYPE_CHECKING

import orjson
from loguru import logger

if TYPE_CHECKING:
    from loguru import Message, Record

    from .config import Settings

_TEXT = "{time:YYYY-MM-DD HH:mm:ss.SSS} {level: <7} {extra[process]: <10} {message}\n{exception}"


def setup(settings: Settings, process: str = "supervisor") -> None:
    """Send every log line of this process to stderr in the configured format; may be called again."""
    logger.remove()
    logger.configure(extra={"process": process})
    if settings.log_format == "json":
        logger.add(_write_json, level=settings.log_level, format=lambda record: "{message}", diagnose=False)
    else:
        logger.add(_write_text, level=settings.log_level, format=lambda record: _TEXT, diagnose=False)
    logging.basicConfig(handlers=[_Forward()], level=logging.WARNING, force=True)


def as_json(record: Record) -> bytes:
    """One JSON line, without its end."""
    fields = {
        "time": record["time"].astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record["level"].name,
        "process": record["extra"].get("process", ""),
        "pid": record["process"].id,
        "logger": record["name"],
        "message": record["message"],
    }
    error = record["exception"]
    if error is not None:
        fields["exception"] = "".join(traceback.format_exception(error.type, error.value, error.traceback))
    return orjson.dumps(record["extra"] | fields, default=str)


def _write_json(message: Message) -> None:
    sys.stderr.write(as_json(message.record).decode() + "\n")


def _write_text(message: Message) -> None:
    sys.stderr.write(message)


class _Forward(logging.Handler):
    """Hands records of standard-library loggers on."""

    def emit(self, record: logging.LogRecord) -> None:
        def named(line: Record) -> None:
            line["name"] = record.name

        known = record.levelname in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
        level: str | int = record.levelname if known else record.levelno
        logger.patch(named).opt(exception=record.exc_info).log(level, "{}", record.getMessage())
