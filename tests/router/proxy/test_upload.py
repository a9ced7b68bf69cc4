"""Request bodies: how long they may take, what is kept for a repeat, back-pressure, early answers."""

from __future__ import annotations

import pytest

from router.proxy.upload import Incoming, Upload
from router.wire.fields import HeadLimits
from tests.router.proxy.fakes import MakeWire, Wire, get, ok, post

LIMITS = HeadLimits(8192, 8192, 32768, 100)
KEEP = 10


# How long it may take.


def test_silence_ends_a_body() -> None:
    body = Incoming(1000, LIMITS, 30.0, 0)
    assert body.restart(100.0) == 130.0
    body.feed(b"x")
    assert body.deadline(120.0) == 150.0


def test_a_body_that_trickles_has_an_end() -> None:
    """One byte a second is never silent; at 240 bytes/s it buys 1/240 s."""
    body = Incoming(10_000, LIMITS, 30.0, 240)
    body.restart(100.0)
    for second in range(1, 30):
        body.feed(b"x")
        assert body.deadline(100.0 + second) == pytest.approx(130.0 + second / 240)


def test_a_body_that_is_quick_enough_has_none() -> None:
    body = Incoming(1_000_000, LIMITS, 30.0, 240)
    body.restart(0.0)
    for second in range(1, 100):
        body.feed(b"x" * 240)
        assert body.deadline(float(second)) == 30.0 + second


def test_a_pause_of_ours_is_not_the_clients() -> None:
    body = Incoming(1000, LIMITS, 30.0, 240)
    body.restart(0.0)
    body.feed(b"x" * 240)
    assert body.restart(500.0) == 530.0


# What is kept.


def test_a_small_body_can_be_sent_again() -> None:
    upload = Upload(False, KEEP)
    upload.add(b"abc", False, False)
    assert upload.replay(True) == b"abc"
    assert upload.add(b"def", True, True) == b"def"
    assert upload.is_kept
    assert upload.replay(True) == b"abcdef"


def test_a_body_that_grows_is_let_go() -> None:
    upload = Upload(False, KEEP)
    upload.replay(True)
    upload.add(b"x" * KEEP, False, True)
    assert (upload.is_large, upload.is_kept) == (False, True)
    upload.add(b"x", True, True)
    assert (upload.is_large, upload.is_kept) == (True, False)


def test_all_is_kept_until_it_is_sent() -> None:
    upload = Upload(False, KEEP)
    upload.add(b"x" * 100, False, False)
    assert upload.is_kept
    assert upload.replay(True) == b"x" * 100
    assert not upload.is_kept


def test_what_may_not_be_repeated_is_not_kept() -> None:
    upload = Upload(False, KEEP)
    upload.add(b"abc", True, False)
    upload.replay(False)
    assert not upload.is_kept


def test_chunks_are_written_anew() -> None:
    upload = Upload(True, KEEP)
    upload.add(b"abc", False, False)
    assert upload.add(b"", False, False) == b""
    assert upload.replay(True) == b"3\r\nabc\r\n"
    assert upload.add(b"de", True, True) == b"2\r\nde\r\n0\r\n\r\n"
    assert upload.replay(True) == b"5\r\nabcde\r\n0\r\n\r\n"


# On the wire.


async def test_a_body_in_pieces(wire: Wire) -> None:
    client = wire.client()
    request = post(b"0123456789")
    client.send(request[:-5])
    await wire.settle()
    assert wire.upstream.got.endswith(b"\r\n\r\n01234")
    seen, _ = await wire.serve(client, request[-5:], ok())
    assert seen == b"56789"
    assert not client.closed


async def test_what_comes_behind_a_body_is_the_next_request(wire: Wire) -> None:
    client = wire.client()
    upstream = await wire.ask(client, post(b"one") + get(b"/two"))
    assert upstream.read().endswith(b"\r\n\r\none")
    upstream.send(ok())
    await wire.settle()
    assert upstream.got.startswith(b"GET /two ")


async def test_a_client_that_stops_in_its_body(wire: Wire) -> None:
    client = wire.client()
    upstream = await wire.ask(client, post(b"0123456789")[:-1])
    await wire.later(30.5)
    assert client.got.startswith(b"HTTP/1.1 408 ")
    assert upstream.closed, "half a request is on it"
    assert wire.client_errors() == {"body_timeout": 1}


async def test_a_broken_chunk(wire: Wire) -> None:
    client = wire.client()
    upstream = await wire.ask(client, get(b"/", b"Transfer-Encoding: chunked", method=b"POST") + b"3\r\nabc\r\n")
    client.send(b"nonsense\r\n")
    await wire.settle()
    assert client.got.startswith(b"HTTP/1.1 400 ")
    assert upstream.closed
    assert not upstream.got.endswith(b"0\r\n\r\n")


async def test_a_slow_upstream_pauses_its_client(wire: Wire) -> None:
    client = wire.client()
    request = post(b"x" * 600_000)
    upstream = await wire.ask(client, request[:1000])
    upstream.takes = False
    client.send(request[1000:400_000])
    assert not client.reads
    upstream.take(upstream.waiting)
    assert client.reads


async def test_an_early_answer_ends_the_connection_gently(wire: Wire) -> None:
    client = wire.client()
    upstream = await wire.ask(client, post(b"x" * 100)[:-50])
    upstream.send(ok(b"no need"))
    await wire.settle()
    assert b"\r\nConnection: close\r\n" in client.got
    assert client.ended
    assert not client.closed
    assert upstream.closed, "the rest of the body would be read as a request"


async def test_a_body_is_bounded_before_it_has_a_connection(make_wire: MakeWire) -> None:
    wire = make_wire(limits={"pool": 1, "kept_body": 1000})
    await wire.ask(wire.client(), get())
    client = wire.client()
    client.send(post(b"x" * 5000)[:-3000])
    client.send(b"x" * 100)
    assert not client.reads
