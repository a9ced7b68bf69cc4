"""When an endpoint goes up or down, what a check finds, and what the table then says."""

from __future__ import annotations

import asyncio
import errno
import resource
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from router import health
from router.config import Tls
from router.health import Change, Judge, Prober, check
from router.proxy.tls import upstream_context
from router.table import CANARY, STABLE, Table
from tests.router.fakes import CANARY_URL, STABLE_URL, make_settings

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.mark.parametrize(
    ("results", "states"),
    [
        ("+", "u"),
        ("-", "u"),
        ("--", "ud"),
        ("-+-", "uuu"),
        ("-+--", "uuud"),
        ("--+", "udd"),
        ("--++", "uddu"),
        ("--+-+", "udddd"),
        ("--++-", "udduu"),
        ("--++--", "udduud"),
        ("----++", "uddddu"),
    ],
)
def test_two_in_a_row_decide(results: str, states: str) -> None:
    judge, seen, changes = Judge(), "", 0
    for result in results:
        changes += judge.observe(result == "+", fall=2, rise=2)
        seen += "u" if judge.up else "d"
    assert (seen, changes) == (states, sum(a != b for a, b in zip("u" + states, states, strict=False)))


def test_fall_and_rise_differ() -> None:
    judge = Judge()
    assert [judge.observe(False, fall=1, rise=3) for _ in range(2)] == [True, False]
    assert [judge.observe(True, fall=1, rise=3) for _ in range(3)] == [False, False, True]


@asynccontextmanager
async def _serving(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    handlers: list[asyncio.Task[None]] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
            writer.close()
            await writer.wait_closed()
        except OSError:
            pass  # the check hangs up as soon as it knows

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.append(asyncio.create_task(handle(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await asyncio.gather(*handlers)


def _answering(octets: bytes) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(octets)

    return answer


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", ""),
        (b"HTTP/1.0 204\r\n\r\n", ""),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", ""),
        (b"HTTP/1.1 500 Oops\r\n\r\n", "answered 500"),
        (b"HTTP/1.1 503 \r\n\r\n", "answered 503"),
        (b"SSH-2.0-x\r\n", "the answer isn't HTTP/1"),
        (b"", "closed without an answer"),
    ],
)
async def test_any_status_below_500_is_healthy(octets: bytes, reason: str) -> None:
    async with _serving(_answering(octets)) as port:
        assert await check(f"http://127.0.0.1:{port}", "/ping", 5, upstream_context(Tls())) == reason


async def test_a_check_asks_for_the_path_and_closes() -> None:
    heads = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

    async with _serving(answer) as port:
        await check(f"http://127.0.0.1:{port}", "/ping?deep=1", 5, upstream_context(Tls()))
    assert heads[0].startswith(f"GET /ping?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode())
    assert b"Connection: close\r\n" in heads[0]


async def test_a_refused_connection_is_named(unused_tcp_port: int) -> None:
    reason = await check(f"http://127.0.0.1:{unused_tcp_port}", "/", 5, upstream_context(Tls()))
    assert reason == "connection refused"


async def test_a_lack_of_our_own_is_told_apart(unused_tcp_port: int) -> None:
    """No descriptor for the check's socket."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    context = upstream_context(Tls())
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(OSError, match="Too many open files") as caught:
            await check(f"http://127.0.0.1:{unused_tcp_port}", "/ping", 5, context)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert caught.value.errno == errno.EMFILE


async def test_a_silent_endpoint_is_given_up_on() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with _serving(answer) as port:
        assert await check(f"http://127.0.0.1:{port}", "/", 0.02, upstream_context(Tls())) == "no answer within 0.02 s"


@pytest.mark.parametrize(
    ("verified", "names", "reason"),
    [
        ("ca", "127.0.0.1", ""),
        ("", "127.0.0.1", "TLS: "),
        ("ca", "other.example", "TLS: "),
        ("off", "other.example", ""),
    ],
)
async def test_certificates_are_verified(tmp_path: Path, verified: str, names: str, reason: str) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(names).configure_cert(context)
    tls = Tls(upstream_ca=tmp_path / "ca.pem" if verified == "ca" else None, upstream_verify=verified != "off")
    async with _serving(_answering(b"HTTP/1.1 200 OK\r\n\r\n"), context) as port:
        found = await check(f"https://127.0.0.1:{port}", "/", 5, upstream_context(tls))
    assert found.startswith(reason)
    assert bool(found) is bool(reason)


class TestProber:
    @pytest.fixture
    def reasons(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
        """What a check of a URL finds; healthy when it isn't in here."""
        reasons: dict[str, str] = {}

        async def fake_check(url: str, *_: object) -> str:
            return reasons.get(url, "")

        monkeypatch.setattr(health, "check", fake_check)
        return reasons

    async def test_endpoints_are_up_until_proven_down(
        self, tmp_path: Path, table: Table, reasons: dict[str, str]
    ) -> None:
        changes: list[Change] = []
        prober = Prober(make_settings(tmp_path), table, on_change=changes.append)
        assert table.up(STABLE, 0)
        reasons[CANARY_URL] = "connection refused"
        await prober.probe(CANARY, CANARY_URL)
        assert (table.up(CANARY, 0), changes) == (True, [])
        await prober.probe(CANARY, CANARY_URL)
        assert not table.up(CANARY, 0)
        assert table.up(STABLE, 0)
        reasons.clear()
        for _ in range(2):
            await prober.probe(CANARY, CANARY_URL)
        assert table.up(CANARY, 0)
        assert changes == [
            Change("canary", CANARY_URL, False, "connection refused"),
            Change("canary", CANARY_URL, True, "answers again"),
        ]

    async def test_what_we_lack_says_nothing_about_an_endpoint(
        self, tmp_path: Path, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither down nor up: what is known stays, and goes on where it was."""
        outcomes: list[str | OSError] = []

        async def fake_check(*_: object) -> str:
            outcome = outcomes.pop(0)
            if isinstance(outcome, OSError):
                raise outcome
            return outcome

        monkeypatch.setattr(health, "check", fake_check)
        prober = Prober(make_settings(tmp_path), table)
        lacking = OSError(errno.EADDRNOTAVAIL, "no port is free")
        outcomes += [lacking, lacking, lacking, "refused", lacking, "refused"]
        states = []
        while outcomes:
            await prober.probe(CANARY, CANARY_URL)
            states.append(table.up(CANARY, 0))
        assert states == [True, True, True, True, True, False]

    async def test_a_reload_keeps_what_is_known(self, tmp_path: Path, table: Table, reasons: dict[str, str]) -> None:
        prober = Prober(make_settings(tmp_path), table)
        reasons[STABLE_URL] = "answered 500"
        for _ in range(2):
            await prober.probe(STABLE, STABLE_URL)
        await prober.reconfigure(make_settings(tmp_path, stable=("http://127.0.0.1:1003", STABLE_URL)))
        assert [table.up(STABLE, index) for index in range(2)] == [True, False]
        await prober.reconfigure(make_settings(tmp_path, health={"interval": 0}))
        assert table.up(STABLE, 0), "without checks every endpoint counts as up"
        await prober.stop()

    async def test_what_an_earlier_supervisor_knew_is_kept(
        self, tmp_path: Path, table: Table, reasons: dict[str, str]
    ) -> None:
        prober = Prober(make_settings(tmp_path), table, down={(CANARY, CANARY_URL), (CANARY, "http://127.0.0.1:1")})
        assert [table.up(arm, 0) for arm in (STABLE, CANARY)] == [True, False]
        for _ in range(2):
            await prober.probe(CANARY, CANARY_URL)
        assert table.up(CANARY, 0)

    async def test_a_change_of_endpoints_never_shows_one_that_is_down_as_up(
        self, tmp_path: Path, table: Table, reasons: dict[str, str]
    ) -> None:
        new = "http://127.0.0.1:1003"
        before = make_settings(tmp_path)
        after = make_settings(tmp_path, canary=(new, CANARY_URL))
        prober = Prober(before, table, down={(CANARY, CANARY_URL)})
        prober.expect(after)
        assert [table.up(CANARY, index) for index in range(2)] == [False, False]
        prober.expect(before)
        assert not table.up(CANARY, 0)
        prober.expect(after)
        await prober.reconfigure(after)
        assert [table.up(CANARY, index) for index in range(2)] == [True, False]
        await prober.stop()

    async def test_it_asks_every_endpoint_by_itself(
        self, tmp_path: Path, table: Table, reasons: dict[str, str]
    ) -> None:
        down: asyncio.Queue[Change] = asyncio.Queue()
        reasons.update({STABLE_URL: "connection refused", CANARY_URL: "answered 502"})
        prober = Prober(make_settings(tmp_path, health={"interval": 0.001}), table, on_change=down.put_nowait)
        prober.start()
        async with asyncio.timeout(10):
            found = {(await down.get()).url for _ in range(2)}
        await prober.stop()
        assert found == {STABLE_URL, CANARY_URL}

    async def test_an_interval_of_zero_asks_nobody(self, tmp_path: Path, table: Table, reasons: dict[str, str]) -> None:
        prober = Prober(make_settings(tmp_path, health={"interval": 0}), table)
        prober.start()
        assert not prober._tasks
        await prober.stop()
