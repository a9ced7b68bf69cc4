"""The stand-in as its users see it: a real process, real sockets."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.standins.service", "--port", "0", "--name", "canary", "--seed", "7"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            ready, _, address = process.stdout.readline().strip().partition(" ")
            assert ready == "ready"
            yield address
        finally:
            process.terminate()


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url) as client:
        yield client
        assert client.post("/faults", json={"error_rate": 0, "latency_ms": 0, "hang": False}).is_success


def test_every_answer_is_signed(client: httpx.Client) -> None:
    for path in ("/ping", "/api/items", "/nowhere", "/bytes?n=3", "/faults"):
        assert client.get(path).headers["x-standin"] == "canary"
    assert client.get("/ping").text == "pong"


def test_items(client: httpx.Client) -> None:
    listed = client.get("/api/items").json()
    assert listed["service"] == "canary"
    assert client.get("/api/items/3").json() == {"service": "canary", **listed["items"][2]}
    assert client.get("/api/items/21").status_code == 404
    created = client.post("/api/items", json={"name": "x"})
    assert (created.status_code, created.json()) == (201, {"service": "canary", "item": {"name": "x"}})
    assert client.post("/api/items", content=b"{").status_code == 400


def test_slow_answers_with_what_it_waited(client: httpx.Client) -> None:
    assert client.get("/slow?ms=1").json() == {"service": "canary", "ms": 1}
    assert client.get("/slow?ms=1e3").status_code == 422
    assert client.get("/slow?ms=99999999").status_code == 422


def test_stream_sends_events(client: httpx.Client) -> None:
    answer = client.get("/stream?n=2")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text == 'data: {"service": "canary", "n": 0}\n\ndata: {"service": "canary", "n": 1}\n\n'


@pytest.mark.parametrize("count", [0, 1, 65536, 200_001])
def test_bytes_in_both_framings(client: httpx.Client, count: int) -> None:
    sized, chunked = client.get(f"/bytes?n={count}"), client.get(f"/bytes?n={count}&chunked=1")
    assert sized.headers["content-length"] == str(count)
    assert "content-length" not in chunked.headers
    assert sized.content == chunked.content
    assert len(sized.content) == count


def test_upload_counts_and_digests(client: httpx.Client) -> None:
    body = bytes(range(256)) * 1000
    expected = {"service": "canary", "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    assert client.post("/upload", content=body).json() == expected
    assert client.post("/upload", content=iter([body[:7], body[7:]])).json() == expected


def test_errors_hit_the_product_but_not_ping(client: httpx.Client) -> None:
    assert client.post("/faults", json={"error_rate": 1}).json()["error_rate"] == 1
    assert client.get("/api/items").status_code == 500
    assert client.get("/ping").status_code == 200
    client.post("/faults", json={"error_rate": 0.5})
    assert {client.get("/api/items").status_code for _ in range(60)} == {200, 500}


def test_a_hang_holds_requests_until_it_is_lifted(client: httpx.Client, url: str) -> None:
    client.post("/faults", json={"hang": True})
    with pytest.raises(httpx.ReadTimeout):
        client.get("/ping", timeout=0.2)
    answers: list[str] = []
    waiting = threading.Thread(target=lambda: answers.append(httpx.get(f"{url}/ping", timeout=30).text))
    waiting.start()
    client.post("/faults", json={"hang": False})
    waiting.join(30)
    assert answers == ["pong"]


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ({"error_rate": 1.5}, "error_rate"),
        ({"error_rate": True}, "error_rate"),
        ({"latency_ms": "10"}, "latency_ms"),
        ({"hang": 1}, "hang"),
        ({"latency": 10}, "unknown fault latency"),
        ([], "object"),
    ],
)
def test_a_wrong_fault_is_refused_and_changes_nothing(client: httpx.Client, wanted: object, complaint: str) -> None:
    before = client.get("/faults").json()
    answer = client.post("/faults", json=wanted)
    assert answer.status_code == 422
    assert complaint in answer.json()["error"]
    assert client.get("/faults").json() == before
