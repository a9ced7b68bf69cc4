"""Simulated users: what they take for a good answer, and how they behave against a small peer."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from router.demo.client import Response
from router.demo.traffic import Traffic, judge

STABLE = {"x-cutover-arm": "stable"}
ISSUED = {"cutover_id": "abc"}


@pytest.mark.parametrize(
    ("response", "expected", "cookie", "judged"),
    [
        (Response(200, STABLE, ISSUED, b'{"service":"stable","id":3}'), {"id": 3}, None, ("stable", "")),
        (Response(201, STABLE, {}, b'{"service":"stable"}'), {}, "abc", ("stable", "")),
        (Response(200, STABLE, ISSUED, b'{"service":"stable"}'), {}, "abc", ("stable", "")),
        (Response(502, STABLE, {}, b"oops"), {}, "abc", ("stable", "status 502")),
        (Response(503, {}, {}, b""), {}, "abc", ("", "status 503")),
        (Response(200, STABLE, {}, b"pong"), {}, "abc", ("stable", "the body is not JSON")),
        (
            Response(200, STABLE, {}, b'{"service":"stable","id":4}'),
            {"id": 3},
            "abc",
            ("stable", "the answer belongs to another request"),
        ),
        (
            Response(200, STABLE, {}, b'{"service":"canary"}'),
            {},
            "abc",
            ("stable", "X-Cutover-Arm is stable, but canary answered"),
        ),
        (
            Response(200, {}, {}, b'{"service":"canary"}'),
            {},
            "abc",
            ("", "X-Cutover-Arm is missing, but canary answered"),
        ),
        (
            Response(200, STABLE, {}, b'{"service":"stable"}'),
            {},
            None,
            ("stable", "no cutover_id cookie was set"),
        ),
        (
            Response(200, STABLE, {"cutover_id": "xyz"}, b'{"service":"stable"}'),
            {},
            "abc",
            ("stable", "the cutover_id cookie changed"),
        ),
    ],
)
def test_judge(response: Response, expected: dict[str, Any], cookie: str | None, judged: tuple[str, str]) -> None:
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
                number = re.search(r"(?:/|ms=)(\d+) ", head)
                fields = f', "id": {number[1]}, "ms": {number[1]}' if number else ""
                content = f'{{"service": "canary", "item": {body.decode()}{fields}}}'
                cookie = "" if "Cookie:" in head else f"Set-Cookie: cutover_id={len(self.seen)}; Path=/\r\n"
                self.seen.append(head)
                writer.write(
                    f"HTTP/1.1 200 OK\r\nX-Cutover-Arm: canary\r\n{cookie}{self._headers}"
                    f"Content-Length: {len(content)}\r\n\r\n{content}".encode()
                )
                if len(self.seen) == self._enough:
                    self.done.set()
        except EOFError:
            writer.close()


async def test_users_keep_their_cookie_and_reconnect_now_and_then() -> None:
    peer = Peer(enough=400)
    async with await asyncio.start_server(peer.serve, "127.0.0.1", 0) as server:
        traffic = Traffic("127.0.0.1", server.sockets[0].getsockname()[1], think=0.001)
        traffic.join(4)
        await peer.done.wait()
        await traffic.stop()
    assert {answer.failure for answer in traffic.answers} == {""}
    assert {answer.user for answer in traffic.answers} == {0, 1, 2, 3}
    assert len(traffic.answers) == len(peer.seen)
    issued = [head for head in peer.seen if "Cookie:" not in head]
    cookies = {match[1] for head in peer.seen if (match := re.search(r"Cookie: (.*)\r\n", head))}
    assert len(issued) == len(cookies) == 4
    assert len(peer.seen) / 16 < peer.connections < len(peer.seen) / 4
    assert {head.split()[0] for head in peer.seen} == {"GET", "POST"}


async def test_users_heed_connection_close() -> None:
    peer = Peer(enough=20, headers="Connection: close\r\n")
    async with await asyncio.start_server(peer.serve, "127.0.0.1", 0) as server:
        traffic = Traffic("127.0.0.1", server.sockets[0].getsockname()[1], think=0.001)
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
        traffic = Traffic("127.0.0.1", server.sockets[0].getsockname()[1], think=0.001)
        traffic.join(1)
        await refused.wait()
        await traffic.stop()
    assert all(answer.failure and answer.status == 0 for answer in traffic.answers)
    assert len(traffic.answers) >= 3
