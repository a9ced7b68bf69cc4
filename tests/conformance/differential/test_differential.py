"""The same bytes to this router, nginx and HAProxy: each does what is written down, and ours counts as upstreams do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance.differential.case import Case
from tests.conformance.differential.outcome import check_counts, observe
from tests.conformance.differential.page import CASES, page
from tests.conformance.differential.peers import Missing, Peer, running
from tests.conformance.opinions import Seen, agreed
from tests.conformance.reading import Malformed

DOCUMENT = Path(__file__).parents[3] / "docs" / "differences.md"
IDS = [case.id for case in CASES]


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Peer | str]]:
    """Every proxy that can be had, by its name; for others what is missing."""
    with ExitStack() as stack:
        found: dict[str, Peer | str] = {}
        for name in ("router", "nginx", "haproxy"):
            try:
                found[name] = stack.enter_context(running(name, tmp_path_factory.mktemp(name)))
            except Missing as missing:
                found[name] = str(missing)
        yield found


def check(peers: dict[str, Peer | str], name: str, case: Case) -> None:
    peer = peers[name]
    if isinstance(peer, str):
        pytest.skip(peer)
    outcome = observe(peer, case.send)
    assert not peer.upstream.problems, peer.upstream.problems
    assert outcome.text in case.expected(name).split(" or ")
    if name == "router":
        check_counts(outcome)


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.id, marks=pytest.mark.slow if at % 4 else ()) for at, case in enumerate(CASES)],
)
def test_router(peers: dict[str, Peer | str], case: Case) -> None:
    check(peers, "router", case)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nginx", "haproxy"])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_others(peers: dict[str, Peer | str], name: str, case: Case) -> None:
    check(peers, name, case)


def test_every_difference_has_a_reason() -> None:
    assert len(set(IDS)) == len(IDS)
    assert [case.id for case in CASES if bool(case.nginx or case.haproxy) != bool(case.why)] == []
    assert [case.id for case in CASES if case.router in (case.nginx, case.haproxy)] == []


def test_the_page_is_current() -> None:
    assert DOCUMENT.read_text("utf-8") == page(), "run: python -m tests.conformance.differential"


GET = b"GET /p HTTP/1.1\r\nHost: h\r\n\r\n"


def test_readers_agree_on_what_is_clear() -> None:
    chunked = b"POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    length = b"POST /l HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
    upgrade = b"GET /u HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert agreed(GET + chunked + upgrade + length + GET[:-2]) == [
        Seen(b"GET", b"/p", b""),
        Seen(b"POST", b"/c", b"hello"),
        Seen(b"GET", b"/u", b""),
        Seen(b"POST", b"/l", b"hello"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /p HTTP/1.1\r\nHost: h\r\nTransfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent_Length: 0\r\n\r\n" + GET[:5] + GET,
        b"POST /p HTTP/1.1\r\nHost: h\r\n\r\n0\r\n\r\n",
        b"GET /p HTTP/1.1\nHost: h\n\n" + GET,
    ],
)
def test_readers_notice_what_is_not(data: bytes) -> None:
    """What would be smuggled past one of them raises; without this they could all be blind."""
    with pytest.raises((Malformed, ValueError)):
        agreed(data)
