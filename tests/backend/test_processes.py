"""The fixture itself: a process that answers, on a port that nobody chose."""

from __future__ import annotations

import httpx

from tests.backend.processes import BackendProcess


def test_the_backend_answers_and_logs(backend_process: BackendProcess) -> None:
    answer = httpx.get(f"{backend_process.url}/ping")
    assert (answer.status_code, answer.text) == (200, "pong")
    assert any(line["message"].startswith("created the tables of") for line in backend_process.lines)
