"""The operators' requests against a real backend, and their commands."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.ingest.stored import Stored
from router.client import CommandError
from router.handover import hand_over
from tests.backend.ingest.spans import stored
from tests.backend.ingest.test_ownership import held
from tests.backend.processes import ROOT, BackendProcess, environment, running_backend
from tests.standins.spanlog import append

pytestmark = pytest.mark.slow
TOKEN = "operator-0123456789"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("admin")


@pytest.fixture(scope="module")
def ingestion(folder: Path) -> Iterator[str]:
    """The address of an ingestion service that has one good and two bad spans."""
    good = stored({"a": 1})
    append(folder / "log.jsonl", [good, Stored(b"l" * 16, b"\xff", b""), Stored(b"m" * 16, good.span, b"\xff")])
    command = [sys.executable, "-m", "tests.standins.ingestion", "--port", "0", "--log", str(folder / "log.jsonl")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[1]
        process.terminate()


@pytest.fixture(scope="module")
def backend(folder: Path, ingestion: str) -> Iterator[BackendProcess]:
    with running_backend(
        folder, CUTOVER_ADMIN_TOKEN=TOKEN, INGESTION_GRPC_ADDRESS=ingestion, SPAN_POLL_INTERVAL="0.05"
    ) as running:
        yield running


def ask(backend: BackendProcess, path: str, body: bytes | None = None, token: str = TOKEN) -> tuple[int, Any]:
    request = urllib.request.Request(backend.url + path, body, {"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def quarantine(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "backend", "quarantine", *arguments],
        cwd=ROOT,
        env=environment(folder, {"CUTOVER_ADMIN_TOKEN": TOKEN}),
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("path", ["/admin/handover", "/admin/quarantine"])
def test_only_with_the_token(backend: BackendProcess, path: str) -> None:
    assert ask(backend, path, token="another")[0] == 401
    assert ask(backend, path, token="")[0] == 401
    assert ask(backend, path)[0] == 200


def test_closed_without_a_token_in_the_settings(backend_process: BackendProcess) -> None:
    status, body = ask(backend_process, "/admin/handover", b'{"to": "follower"}', token="")
    assert (status, body) == (403, {"message": "the backend has no CUTOVER_ADMIN_TOKEN, so this is closed"})


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"to": "canary"}', b'{"to": []}', b"\xff"])
def test_wrong_bodies(backend: BackendProcess, body: bytes) -> None:
    assert ask(backend, "/admin/handover", body)[0] == 400


def test_the_quarantine_of_a_running_backend(backend: BackendProcess, folder: Path) -> None:
    while ask(backend, "/admin/quarantine")[1]["total"] < 2:
        pass
    done = quarantine("list", "--backend", backend.url, folder=folder)
    found = json.loads(done.stdout)
    assert found["total"] == 2
    assert [entry["reason"] for entry in found["entries"]] == [
        "the span's bytes are no OTLP span",
        "the resource's bytes are no OTLP resource",
    ]
    done = quarantine("replay", "--backend", backend.url, folder=folder)
    assert json.loads(done.stdout) == {"stored": 0, "still_bad": 2}


def test_the_quarantine_of_a_file_that_somebody_holds(backend: BackendProcess, folder: Path) -> None:
    done = quarantine("list", folder=folder)
    assert done.returncode == 1
    assert "--backend" in done.stderr
    assert f"process {backend.process.pid}" in done.stderr


def test_handed_over_and_back(backend: BackendProcess, folder: Path) -> None:
    said: list[str] = []
    hand_over("stable", backend.url, TOKEN, wait=60, say=said.append)
    assert said[-1].startswith("The file is free: start the stable backend now.")
    assert ask(backend, "/admin/handover")[1] == {"role": "follower", "step": "resting", "failure": None}
    assert json.loads(quarantine("list", folder=folder).stdout)["total"] == 2
    with held(folder / "duckdb" / "otel_data.db"), pytest.raises(CommandError, match=r"stays follower: .* is held by"):
        hand_over("canary", backend.url, TOKEN, wait=60, say=said.append)
    hand_over("canary", backend.url, TOKEN, wait=60, say=said.append)
    with urllib.request.urlopen(f"{backend.url}/health", timeout=20) as answer:
        health = json.loads(answer.read())
    assert health["details"]["duckdb"]["role"] == "owner"
    with urllib.request.urlopen(f"{backend.url}/metrics", timeout=20) as answer:
        assert b'backend_duckdb_role{role="owner"} 1.0' in answer.read()


def test_a_wrong_token_and_nobody() -> None:
    with pytest.raises(CommandError, match="no backend at"):
        hand_over("canary", "http://127.0.0.1:1", TOKEN, wait=1, say=print)


def test_the_backends_words_for_a_wrong_token(backend: BackendProcess) -> None:
    with pytest.raises(CommandError, match=r"answered 401: this needs the backend's CUTOVER_ADMIN_TOKEN"):
        hand_over("canary", backend.url, "wrong", wait=1, say=print)
