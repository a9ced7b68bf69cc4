"""API keys as the ingestion service asks for them, at a running backend."""

from __future__ import annotations

import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from backend.rpc.pb.auth_pb2 import ValidateApiKeyRequest
from backend.rpc.pb.auth_pb2_grpc import InternalAuthServiceStub
from tests.backend.processes import HANG, ROOT, BackendProcess, environment, running_backend

GOOD = "k" * 64


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backend")


@pytest.fixture(scope="module")
def backend(database: Path) -> Iterator[BackendProcess]:
    with running_backend(database) as backend:
        yield backend


@pytest.fixture(scope="module")
def auth(backend: BackendProcess, database: Path) -> Iterator[InternalAuthServiceStub]:
    with sqlite3.connect(database / "sqlite" / "app_data.db", isolation_level=None) as peer:
        peer.execute("INSERT INTO api_keys (id, key, name) VALUES ('i', ?, 'n')", (GOOD,))
    peer.close()
    [port] = [match[1] for line in backend.lines if (match := re.search(r"validated on .*:(\d+)$", line["message"]))]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield InternalAuthServiceStub(channel)


def valid(auth: InternalAuthServiceStub, key: str) -> bool:
    return bool(auth.ValidateApiKey(ValidateApiKeyRequest(api_key=key), timeout=HANG).is_valid)


def test_a_key_that_a_peer_stored_is_good(auth: InternalAuthServiceStub) -> None:
    assert valid(auth, GOOD)
    assert not valid(auth, "startup-readiness-check")
    assert not valid(auth, "")


def test_health_and_metrics_tell_of_it(auth: InternalAuthServiceStub, backend: BackendProcess) -> None:
    valid(auth, "x")
    assert httpx.get(f"{backend.url}/health").json()["services"]["grpc_server"] == "ok"
    series = 'rpc_server_call_duration_seconds_count{rpc_method="ValidateApiKey",rpc_response_status_code="OK"}'
    assert series in httpx.get(f"{backend.url}/metrics").text


def test_a_key_is_never_logged(auth: InternalAuthServiceStub, backend: BackendProcess) -> None:
    valid(auth, GOOD)
    assert GOOD not in str(backend.lines)


def test_a_taken_port_ends_the_start_with_what_to_set(tmp_path: Path) -> None:
    with socket.socket() as peer:
        peer.bind(("127.0.0.1", 0))
        peer.listen()
        settings = {"AUTH_GRPC_LISTEN_ADDRESS": f"127.0.0.1:{peer.getsockname()[1]}"}
        ended = subprocess.run(
            [sys.executable, "-m", "backend", "--host", "127.0.0.1", "--port", "0"],
            cwd=ROOT,
            env=environment(tmp_path, settings),
            capture_output=True,
            text=True,
            timeout=HANG,
        )
    assert ended.returncode == 1
    assert "ddress already in use" in ended.stderr
    assert "set AUTH_GRPC_LISTEN_ADDRESS=127.0.0.1:50054" in ended.stderr
    assert "Traceback" not in ended.stderr
