"""Driving two backends: what is sent, what is noise, what is asked again, and what can't be judged."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack

import pytest

from router.client import UnreachableError
from router.shadow.answer import Answer
from router.shadow.rules import Rules
from router.verify.ask import Backend, session_value
from router.verify.cases import Case
from router.verify.run import Result, Verifier
from tests.router.verify.scripted import Asked, Script, Scripted, json_body, scripted

PING = Case(path="/ping")


async def verified(
    stable: Script, canary: Script, *cases: Case, on_wait: Callable[[], None] = lambda: None, timeout: float = 20
) -> tuple[list[Result], Scripted, Scripted]:
    async def wait() -> None:
        on_wait()

    with ExitStack() as servers:
        one, other = (servers.enter_context(scripted(script)) for script in (stable, canary))
        async with AsyncExitStack() as stack:
            sides = [
                await stack.enter_async_context(Backend(name, server.url, "example.com", timeout).opened())
                for name, server in (("stable", one), ("canary", other))
            ]
            return await Verifier(sides[0], sides[1], Rules(), wait).run(cases), one, other


def always(content: bytes, **headers: str) -> Script:
    return lambda _: json_body(content, **headers)


def broken(_: Asked) -> tuple[int, dict[str, str], bytes]:
    raise ConnectionResetError


def found(result: Result) -> list[str]:
    return [f"{difference.place.path} {difference.place.kind}" for difference in result.differences]


async def test_same() -> None:
    (result,), stable, canary = await verified(always(b'{"a": 1}'), always(b'{"a":1.0}'), PING)
    assert (result.verdict, result.stable, result.canary) == ("same", "200", "200")
    assert (len(stable.asked), len(canary.asked)) == (2, 1)


async def test_a_difference_is_asked_again_and_stays() -> None:
    waits: list[None] = []
    (result,), stable, canary = await verified(
        always(b'{"a": 1}'), always(b'{"a": 2}'), PING, on_wait=lambda: waits.append(None)
    )
    assert (result.verdict, found(result)) == ("differs", ["$.a value"])
    assert (len(waits), len(stable.asked), len(canary.asked)) == (1, 4, 2)


async def test_a_difference_that_passes_does_not_count() -> None:
    lag = [b"[]"]
    (result,), *_ = await verified(
        always(b"[1]"), lambda _: json_body(lag[0]), PING, on_wait=lambda: lag.__setitem__(0, b"[1]")
    )
    assert (result.verdict, result.passing) == ("same", True)


async def test_another_difference_than_before_does_not_count_either() -> None:
    lag = [b"[1]"]
    (result,), *_ = await verified(
        always(b"[1, 2]"), lambda _: json_body(lag[0]), PING, on_wait=lambda: lag.__setitem__(0, b"[2, 1]")
    )
    assert result.verdict == "same"


async def test_what_stable_does_to_itself_is_noise() -> None:
    count = itertools.count()

    def counting(_: Asked) -> tuple[int, dict[str, str], bytes]:
        return json_body(b'{"n": %d, "a": 1}' % next(count))

    (result,), *_ = await verified(counting, always(b'{"n": -1, "a": 1}'), PING)
    assert (result.verdict, [place.path for place in result.noise]) == ("same", ["$.n"])
    (result,), *_ = await verified(counting, always(b'{"n": "x", "a": 2}'), PING)
    assert found(result) == ["$.n type", "$.a value"]


async def test_a_write_is_sent_once_and_after_the_reads() -> None:
    write = Case(method="POST", path="/w", body="{}", writes=True)
    results, stable, canary = await verified(always(b"1"), always(b"2"), write, PING)
    assert [result.verdict for result in results] == ["differs", "differs"]
    for side in (stable, canary):
        assert [asked.method for asked in side.asked].count("POST") == 1
        assert side.asked[-1].method == "POST"


async def test_nothing_is_added_and_nothing_is_kept() -> None:
    cases = [Case(path="/a//b%2F%7e?x=[1]", headers={"X-One": "1"}), Case(path="/ping")]
    answers = always(b"1", **{"Set-Cookie": "a=b"})
    _, stable, canary = await verified(answers, answers, *cases)
    assert canary.asked[0].target == "/a//b%2F%7e?x=[1]"
    assert canary.asked[0].headers == {"host": "example.com", "x-one": "1"}
    assert [asked.headers for asked in canary.asked[1:]] == [{"host": "example.com"}]
    assert [asked for asked in stable.asked if "cookie" in asked.headers] == []
    assert len({asked.port for asked in stable.asked}) == len(stable.asked)  # a connection each


async def test_captured_values_are_each_sides_own() -> None:
    def side(token: bytes) -> Script:
        return lambda asked: json_body(b'{"list": [{"t": "%b"}]}' % token if asked.target == "/csrf" else b"1")

    cases = [
        Case(path="/csrf", capture={"csrf": "json:list.0.t"}, volatile=("$.list[*].t",)),
        Case(method="POST", path="/w/${csrf}", headers={"X-Token": "${csrf}"}, body="<${csrf}>", writes=True),
    ]
    results, stable, canary = await verified(side(b"one"), side(b"two"), *cases)
    assert [result.verdict for result in results] == ["same", "same"]
    for server, token in ((stable, "one"), (canary, "two")):
        sent = server.asked[-1]
        assert (sent.target, sent.headers["x-token"], sent.body) == (f"/w/{token}", token, f"<{token}>".encode())


@pytest.mark.parametrize(("source", "value"), [("cookie:s", "v"), ("header:X-A", "h"), ("json:n", "1.5")])
async def test_sources(source: str, value: str) -> None:
    cases = [Case(path="/a", capture={"x": source}), Case(path="/b/${x}")]
    answers = always(b'{"n": 1.5}', **{"Set-Cookie": "s=v; Path=/", "X-A": "h"})
    _, stable, _ = await verified(answers, answers, *cases)
    assert stable.asked[-1].target == f"/b/{value}"


async def test_a_value_that_did_not_come_is_said() -> None:
    cases = [
        Case(path="/a", capture={"x": "json:nothing"}),
        Case(id="b", method="POST", path="/b/${x}", writes=True),
        Case(path="/c", after="b"),
    ]
    results, *_ = await verified(always(b"{}"), always(b"{}"), *cases)
    assert [result.verdict for result in results] == ["same", "skipped", "skipped"]
    assert "no value for ${x}" in results[1].skipped
    assert "comes after 'b'" in results[2].skipped


async def test_an_unexpected_status_proves_nothing() -> None:
    """A session that has ended gives 401 on both sides, which are the same."""

    def refused(_: Asked) -> tuple[int, dict[str, str], bytes]:
        return 401, {}, b""

    (result,), *_ = await verified(refused, refused, Case(path="/users", status=200))
    assert (result.verdict, found(result)) == ("differs", ["status value"])
    assert "expects 200" in result.differences[0].stable


class TestNoAnswer:
    async def test_one_side_breaks_off(self) -> None:
        (result,), *_ = await verified(always(b"1"), broken, PING)
        assert (result.verdict, found(result)) == ("differs", ["status missing"])
        assert "broke" in result.canary
        (result,), *_ = await verified(broken, always(b"1"), PING)
        assert found(result) == ["status extra"]

    async def test_neither_proves_nothing(self) -> None:
        (result,), *_ = await verified(broken, broken, PING)
        assert "neither side answered" in result.skipped

    async def test_a_side_that_hangs(self) -> None:
        released = threading.Event()

        def hangs(_: Asked) -> tuple[int, dict[str, str], bytes]:
            released.wait(20)
            return json_body(b"1")

        try:
            write = Case(method="POST", path="/", writes=True)
            (result,), *_ = await verified(always(b"1"), hangs, write, timeout=0.2)
        finally:
            released.set()
        assert result.canary == "no whole answer within 0.2 s"

    async def test_unreachable(self) -> None:
        async with Backend("canary", "http://127.0.0.1:1", "x", 5).opened() as side:
            with pytest.raises(UnreachableError, match=r"canary can't be reached at http://127.0.0.1:1"):
                await side.ask(PING)


async def test_a_large_answer_is_bounded() -> None:
    with scripted(always(b" " * (4 << 20))) as server:
        async with Backend("stable", server.url, "x", 20).opened() as side:
            answer = await side.ask(PING)
    assert isinstance(answer, Answer)
    assert (len(answer.body), answer.length) == (1 << 20, 4 << 20)


@pytest.mark.parametrize(
    ("given", "value"),
    [("abc", "abc"), ("session=abc", "abc"), ("MTc5==", "MTc5=="), ("a.b=c=", "c="), ("MTc5|x=", "MTc5|x=")],
)
def test_session(given: str, value: str) -> None:
    assert session_value(given) == value
