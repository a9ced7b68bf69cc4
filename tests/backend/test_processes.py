"""The process: it answers on a port that nobody chose, logs, and ends cleanly."""

from __future__ import annotations

import httpx

from tests.backend.processes import BackendProcess


def test_the_backend_answers_and_logs(backend_process: BackendProcess) -> None:
    answer = httpx.get(f"{backend_process.url}/ping")
    assert (answer.status_code, answer.text) == (200, "pong")
    assert any(line["message"].startswith("created the tables of") for line in backend_process.lines)


def test_a_signal_is_a_clean_end(backend_process: BackendProcess) -> None:
    assert backend_process.stop() == 0
    assert not [line for line in backend_process.lines if "level" not in line], "something was printed beside the log"
