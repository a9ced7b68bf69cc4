"""The client on a scripted peer: what it takes for an answer, and what it must not take for one."""

from __future__ import annotations

import asyncio

import pytest

from router.demo.client import FAILURES, Connection, Response

FRAMED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"


async def answers(octets: bytes) -> Response:
    """The response to one request, from a peer that sends `octets` and closes."""

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(octets)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(peer, "127.0.0.1", 0) as server:
        connection = await Connection.open(*server.sockets[0].getsockname())
        try:
            return await connection.request(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        finally:
            await connection.close()


@pytest.mark.parametrize(
    "octets",
    [
        FRAMED + b"\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + FRAMED + b"\r\nhi",
    ],
)
async def test_a_whole_answer(octets: bytes) -> None:
    response = await answers(octets)
    assert (response.status, response.body) == (200, b"hi")


async def test_cookies_and_headers() -> None:
    response = await answers(
        FRAMED + b"Set-Cookie: a=1; Path=/\r\nset-cookie: cutover_id=x=y; HttpOnly\r\nX-Cutover-Arm: canary\r\n\r\nhi"
    )
    assert response.cookies == {"a": "1", "cutover_id": "x=y"}
    assert response.headers["x-cutover-arm"] == "canary"


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        FRAMED,
        FRAMED + b"\r\nh",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhixx0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nunframed",
        b"SSH-2.0 hello\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 9,
    ],
)
async def test_a_truncated_or_broken_answer_is_a_failure(octets: bytes) -> None:
    with pytest.raises(FAILURES):
        await answers(octets)


async def test_a_refused_connection_is_a_failure() -> None:
    async with await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0) as server:
        address = server.sockets[0].getsockname()
    with pytest.raises(FAILURES):
        await Connection.open(*address)
