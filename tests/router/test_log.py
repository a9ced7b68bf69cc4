"""Both formats, from both kinds of loggers."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from router import log
from tests.router.fakes import make_settings


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    logger.remove()


def test_json_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(make_settings(tmp_path, log_format="json"), process="worker-0")
    logger.bind(arm="canary").warning("{} is {{down}}", "x")
    logging.getLogger("uvicorn.error").error("bad %s {y}", "thing")
    logger.debug("not wanted")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first["message"] == "x is {down}"
    assert (first["arm"], first["level"], first["process"]) == ("canary", "WARNING", "worker-0")
    assert first["time"].endswith("Z")
    assert (second["logger"], second["message"], second["level"]) == ("uvicorn.error", "bad thing {y}", "ERROR")


def test_a_crash_is_one_json_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(make_settings(tmp_path, log_format="json"))
    try:
        raise ValueError("x")
    except ValueError:
        logger.exception("failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: x" in json.loads(line)["exception"]


def test_text_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(make_settings(tmp_path, log_level="DEBUG"), process="worker-1")
    logger.debug("hello {}", "{there}")
    logging.getLogger("x").log(35, "odd level")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("DEBUG   worker-1   hello {there}")
    assert second.endswith("odd level")


def test_setup_again_replaces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        log.setup(make_settings(tmp_path))
    logger.info("once")
    assert capsys.readouterr().err.count("once") == 1
