"""The layers in front of a real process, byte by byte: order, headers of error answers, limits, clients that leave."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from backend.auth.cookie import SessionCookie
from backend.web.body import MAX_PUBLIC, MAX_SIGNED_IN
from tests.backend.processes import HANG, SECRET, BackendProcess, running_backend

SESSION = SessionCookie(SECRET).seal("ada@example.com", int(time.time()))
TOKEN = "QMvADavPHTdFsLkHhNdRjGExTKVtoIqe"


class Reply(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for found, value in self.headers if found == name]

    def error(self) -> tuple[int, str]:
        return self.status, json.loads(self.body)["message"]


def send(backend: BackendProcess, head: str, *lines: str, body: bytes = b"") -> Reply:
    """One request on a connection of its own, as it stands."""
    with socket.create_connection(("127.0.0.1", backend.port), HANG) as connection:
        text = "\r\n".join((f"{head} HTTP/1.1", "host: x", "connection: close", *lines)) + "\r\n\r\n"
        connection.sendall(text.encode() + body)
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    start, _, content = data.partition(b"\r\n\r\n")
    status, *fields = start.decode("latin-1").split("\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (field.partition(":") for field in fields)]
    return Reply(int(status.split()[1]), headers, content)


def session(*more: str) -> str:
    return f"cookie: {'; '.join((f'session={SESSION}', *more))}"


UNAUTHORIZED = (401, "Unauthorized: No valid session")
NO_CSRF = (400, "missing value in cookies")


@pytest.mark.parametrize(
    ("head", "lines", "error"),
    [
        ("GET /nope", [], UNAUTHORIZED),
        ("GET /nope", [session()], (404, "Not Found")),
        ("GET /ping/", [session()], (404, "Not Found")),
        ("GET //ping", [session()], (404, "Not Found")),
        ("GET /%70ing", [], UNAUTHORIZED),
        ("PUT /users", [f"cookie: csrf={TOKEN}"], UNAUTHORIZED),
        ("PUT /users", [session(f"csrf={TOKEN}")], (405, "Method Not Allowed")),
        ("PUT /ping", [f"cookie: csrf={TOKEN}"], (405, "Method Not Allowed")),
        ("GET /sign-in", [], (405, "Method Not Allowed")),
        ("DELETE /users/db-has-users", [f"cookie: csrf={TOKEN}"], UNAUTHORIZED),
        ("POST /users/db-has-users", [f"cookie: csrf={TOKEN}"], (405, "Method Not Allowed")),
        ("POST /nope", [session()], NO_CSRF),
        ("POST /ping", [], NO_CSRF),
        ("POST /nope", [session(), f"x-csrf-token: {TOKEN}"], (403, "invalid csrf token")),
        ("POST /nope", [session(), "x-csrf-token:"], (403, "invalid csrf token")),
        ("POST /nope", [session(f"csrf={TOKEN}"), "x-csrf-token: other"], (404, "Not Found")),
        ("GET /auth-test", ["cookie: session=garbage", session()], UNAUTHORIZED),
        (
            "GET /auth-test",
            [f"cookie: session={SessionCookie('other').seal('a@b.cd', int(time.time()))}"],
            UNAUTHORIZED,
        ),
    ],
)
def test_the_order_of_refusals(
    backend_process: BackendProcess, head: str, lines: list[str], error: tuple[int, str]
) -> None:
    reply = send(backend_process, head, "content-length: 0", *lines)
    assert reply.error() == error
    # Whoever passes the check gets the cookie, also with an error; whoever fails it, or needs none, doesn't.
    passed = error[0] not in (400, 403) and not head.endswith("/sign-in")
    assert len(reply.all("set-cookie")) == passed
    assert sorted(reply.all("vary")) == (["Cookie", "Origin"] if passed else ["Origin"])


@pytest.mark.parametrize(
    ("head", "allow"),
    [("PUT /users", "OPTIONS, GET, POST"), ("HEAD /ping", "OPTIONS, GET"), ("GET /users/5", "OPTIONS, DELETE")],
)
def test_allow(backend_process: BackendProcess, head: str, allow: str) -> None:
    reply = send(backend_process, head, session(f"csrf={TOKEN}"))
    assert (reply.status, reply.all("allow")) == (405, [allow])
    if head.startswith("HEAD"):
        assert reply.body == b""
        assert not reply.all("content-type")


@pytest.mark.parametrize("line", [session(), f'cookie: session="{SESSION}"', f"cookie: csrf; a=b;session={SESSION}"])
def test_a_session_is_let_in(backend_process: BackendProcess, line: str) -> None:
    reply = send(backend_process, "GET /auth-test", line, "cookie: session=second")
    assert json.loads(reply.body) == {"userEmail": "ada@example.com"}


def test_the_csrf_cookie_is_kept_or_made(backend_process: BackendProcess) -> None:
    kept = send(backend_process, "GET /csrf", f"cookie: csrf={TOKEN}")
    assert json.loads(kept.body) == {"csrfToken": TOKEN}
    made = send(backend_process, "GET /csrf")
    token = json.loads(made.body)["csrfToken"]
    (line,) = made.all("set-cookie")
    date = r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"
    assert re.fullmatch(rf"csrf={token}; Expires={date}; HttpOnly; Secure; SameSite=Strict", line)


def test_every_options_ends_at_cors(backend_process: BackendProcess) -> None:
    for path in ("/users", "/nope", "/users/5"):
        reply = send(backend_process, f"OPTIONS {path}", "origin: http://a.example")
        assert (reply.status, reply.body, reply.all("set-cookie")) == (204, b"", [])
        assert reply.all("access-control-allow-origin") == ["http://a.example"]
        assert reply.all("access-control-allow-methods") == ["GET,POST,PUT,DELETE,OPTIONS"]
        assert len(reply.all("vary")) == 3


def test_errors_carry_cors_headers(backend_process: BackendProcess) -> None:
    for head in ("GET /nope", "POST /nope", "GET /sign-in"):
        assert send(backend_process, head, "origin: http://a.example").all("access-control-allow-credentials") == [
            "true"
        ]


def test_a_broken_escape(backend_process: BackendProcess) -> None:
    assert send(backend_process, "GET /users/%zz").body == b"400 Bad Request"


@pytest.mark.parametrize(
    ("head", "lines", "limit"),
    [("POST /sign-in", [], MAX_PUBLIC), ("POST /users", [session(f"csrf={TOKEN}")], MAX_SIGNED_IN)],
)
def test_a_body_that_is_too_large(backend_process: BackendProcess, head: str, lines: list[str], limit: int) -> None:
    """Refused at its head, so nothing of it need be sent; the connection can't be used again."""
    reply = send(backend_process, head, *lines, f"content-length: {limit + 1}")
    assert reply.error() == (413, "Request Entity Too Large")
    assert reply.all("connection") == ["close"]


def test_a_chunked_body_that_is_too_large(backend_process: BackendProcess) -> None:
    chunk = b"%x\r\n%b\r\n" % (MAX_PUBLIC + 1, b" " * (MAX_PUBLIC + 1))
    reply = send(backend_process, "POST /sign-in", "transfer-encoding: chunked", body=chunk)
    assert reply.error() == (413, "Request Entity Too Large")


@pytest.fixture
def own_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendProcess]:
    with running_backend(
        tmp_path_factory.mktemp("own"), LOG_LEVEL="DEBUG", JUNJO_ALLOW_ORIGINS="http://a.example"
    ) as own:
        yield own


def test_a_client_that_leaves_is_no_error(own_process: BackendProcess) -> None:
    with socket.create_connection(("127.0.0.1", own_process.port), HANG) as connection:
        connection.sendall(
            b"POST /sign-in HTTP/1.1\r\nhost: x\r\nx-request-id: left\r\n"
            b"content-type: application/json\r\ncontent-length: 9\r\n\r\n{"
        )
    deadline = time.monotonic() + HANG
    while not any(line.get("request_id") == "left" for line in own_process.lines):
        assert time.monotonic() < deadline
        send(own_process, "GET /ping")
    (line,) = (line for line in own_process.lines if line.get("request_id") == "left")
    assert (line["level"], "the client left" in line["message"]) == ("DEBUG", True)


def test_only_configured_origins_are_allowed(own_process: BackendProcess) -> None:
    good = send(own_process, "GET /ping", "origin: http://a.example")
    bad = send(own_process, "GET /ping", "origin: http://b.example")
    assert (good.status, good.all("access-control-allow-origin")) == (200, ["http://a.example"])
    assert (bad.status, bad.all("access-control-allow-origin")) == (200, [])
