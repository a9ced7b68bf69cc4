"""Simulated users: what they take for a good answer, and how they behave against a small peer."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from router.demo.accounts import Account
from router.demo.client import Response
from router.demo.traffic import Traffic, judge

ACCOUNTS = [Account(f"{name}@example.com", name) for name in ("ada", "bob")]
ISSUED = {"cutover_id": "abc"}


LIST = b"[]"


def answered(by: str = "stable", claimed: str = "stable") -> dict[str, str]:
    return {name: value for name, value in (("x-standin", by), ("x-cutover-arm", claimed)) if value}


@pytest.mark.parametrize(
    ("response", "expected", "cookie", "judged"),
    [
        (Response(200, answered(), ISSUED, b'{"id":3,"more":1}'), {"id": 3}, None, ("stable", "")),
        (Response(201, answered(), {}, LIST), None, "abc", ("stable", "")),
        (Response(200, answered(), ISSUED, LIST), None, "abc", ("stable", "")),
        (Response(502, answered(), {}, b"oops"), None, "abc", ("stable", "status 502")),
        (Response(503, {}, {}, b""), None, "abc", ("", "status 503")),
        (Response(200, answered(), {}, b"pong"), None, "abc", ("stable", "the body is not JSON")),
        (
            Response(200, answered(), {}, b'{"id":4}'),
            {"id": 3},
            "abc",
            ("stable", "the answer belongs to another request"),
        ),
        (Response(200, answered(), {}, LIST), {"id": 3}, "abc", ("stable", "the answer belongs to another request")),
        (Response(200, answered(), {}, b"{}"), None, "abc", ("stable", "the answer belongs to another request")),
        (
            Response(200, answered(by="canary"), {}, LIST),
            None,
            "abc",
            ("stable", "X-Cutover-Arm is stable, but canary answered"),
        ),
        (
            Response(200, answered(by="canary", claimed=""), {}, LIST),
            None,
            "abc",
            ("", "X-Cutover-Arm is missing, but canary answered"),
        ),
        (Response(200, answered(), {}, LIST), None, None, ("stable", "no cutover_id cookie was set")),
        (
            Response(200, answered(), {"cutover_id": "xyz"}, LIST),
            None,
            "abc",
            ("stable", "the cutover_id cookie changed"),
        ),
    ],
)
def test_judge(
    response: Response, expected: dict[str, Any] | None, cookie: str | None, judged: tuple[str, str]
) -> None:
    assert judge(response, expected, cookie) == judged


class Peer:
    """Answers as the router would; `seen` holds the request heads, `done` is set after `enough` of them."""

    def __init__(self, enough: int, headers: str = "") -> None:
        self.seen: list[str] = []
        self.connections = 0
        self.done = asyncio.Event()
        self._enough = enough
        self._headers = headers

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"Content-Length: (\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b"null"
                name = re.search(r"session=(\w+)", head)
                assert name
                content = "[]"
                if "/auth-test" in head:
                    content = f'{{"userEmail": "{name[1]}@example.com"}}'
                elif length:
                    content = body.decode().replace('"name"', '"Name"')
                cookie = "" if "cutover_id" in head else f"Set-Cookie: cutover_id={len(self.seen)}; Path=/\r\n"
                cookie += "Set-Cookie: csrf=token\r\n"
                self.seen.append(head)
                writer.write(
                    f"HTTP/1.1 200 OK\r\nX-Cutover-Arm: canary\r\nX-Standin: canary\r\n{cookie}{self._headers}"
                    f"Content-Length: {len(content)}\r\n\r\n{content}".encode()
                )
                if len(self.seen) == self._enough:
                    self.done.set()
        except EOFError:
            writer.close()


async def test_users_keep_their_cookie_and_reconnect_now_and_then() -> None:
    peer = Peer(enough=400)
    async with await asyncio.start_server(peer.serve, "127.0.0.1", 0) as server:
        traffic = Traffic("127.0.0.1", server.sockets[0].getsockname()[1], think=0.001, accounts=ACCOUNTS)
        traffic.join(4)
        await peer.done.wait()
        await traffic.stop()
    assert {answer.failure for answer in traffic.answers} == {""}
    assert {answer.user for answer in traffic.answers} == {0, 1, 2, 3}
    assert len(traffic.answers) == len(peer.seen)
    issued = [head for head in peer.seen if "cutover_id" not in head]
    cookies = {match[1] for head in peer.seen if (match := re.search(r"cutover_id=(\w+)", head))}
    assert len(issued) == len(cookies) == 4
    assert len(peer.seen) / 16 < peer.connections < len(peer.seen) / 4
    assert {head.split()[0] for head in peer.seen} == {"GET", "POST"}


async def test_users_heed_connection_close() -> None:
    peer = Peer(enough=20, headers="Connection: close\r\n")
    async with await asyncio.start_server(peer.serve, "127.0.0.1", 0) as server:
        traffic = Traffic("127.0.0.1", server.sockets[0].getsockname()[1], think=0.001, accounts=ACCOUNTS)
        traffic.join(1)
        await peer.done.wait()
        await traffic.stop()
    assert peer.connections == len(peer.seen) == len(traffic.answers)


async def test_what_goes_wrong_is_an_answer_too_and_users_go_on() -> None:
    refused = asyncio.Event()

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        if len(traffic.answers) >= 2:
            refused.set()

    async with await asyncio.start_server(peer, "127.0.0.1", 0) as server:
        traffic = Traffic("127.0.0.1", server.sockets[0].getsockname()[1], think=0.001, accounts=ACCOUNTS)
        traffic.join(1)
        await refused.wait()
        await traffic.stop()
    assert all(answer.failure and answer.status == 0 for answer in traffic.answers)
    assert len(traffic.answers) >= 3
