"""Both formats, from both kinds of loggers, with the id of the request."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
from loguru import logger

from backend import log


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    token = log.request_id.set("")
    yield
    log.request_id.reset(token)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    logger.remove()


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup("INFO", "json")
    log.request_id.set("r1")
    logger.bind(role="owner").warning("{} is {{down}}", "x")
    logging.getLogger("uvicorn.error").error("bad %s {y}", "thing")
    logger.debug("not wanted")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first["message"] == "x is {down}"
    assert (first["role"], first["level"], first["request_id"]) == ("owner", "WARNING", "r1")
    assert first["time"].endswith("Z")
    assert (second["logger"], second["message"], second["level"]) == ("uvicorn.error", "bad thing {y}", "ERROR")
    assert second["request_id"] == "r1"


def test_a_crash_is_one_json_line_without_values(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup("INFO", "json")

    def fail(api_key: str) -> None:
        raise ValueError("x")

    try:
        fail("hidden")
    except ValueError:
        logger.exception("failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: x" in json.loads(line)["exception"]
    assert "'hidden'" not in line.replace('fail(\\"hidden\\")', "")


def test_text_lines(capsys: pytest.CaptureFixture[str]) -> None:
    log.setup("DEBUG", "text")
    log.request_id.set("r2")
    logger.debug("hello {}", "{there}")
    logging.getLogger("x").warning("standard")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("DEBUG   r2 hello {there}")
    assert second.endswith("WARNING r2 standard")


def test_setup_again_replaces(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        log.setup("INFO", "json")
    logger.info("once")
    assert capsys.readouterr().err.count("once") == 1
