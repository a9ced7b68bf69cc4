"""Who goes where: identity, cookie issuance, pins, weights, override; seen from both sides of the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.conformance import steps
from tests.conformance.reading import Message
from tests.conformance.router import Router, running_router
from tests.conformance.upstream import Upstream

ISSUED = re.compile(rb"cutover_id=([0-9a-f]{32})((?:; [^;]+)*)")
MANY = 300


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, stable: Upstream, canary: Upstream) -> Iterator[Router]:
    """Header and product session as identity, override with a token, arm not shown, two workers."""
    settings = """
[split]
header = "X-User"
session_cookie = "session"
override = true
override_token = "let-me"
expose_arm = false
"""
    with running_router(tmp_path_factory.mktemp("other"), stable, canary, settings, workers=2) as running:
        yield running


def ask(router: Router, path: bytes, fields: bytes = b"") -> tuple[bytes, Message, Message]:
    """One GET → the arm that served it (by where it arrived), what the upstream saw, what the client saw."""
    for upstream in (router.stable, router.canary):
        upstream.play([steps.serve()])
    with router.connect() as client:
        client.send(b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n")
        answer = client.answer()
    assert answer.status == 200
    seen = {b"stable": router.stable.requests(), b"canary": router.canary.requests()}
    ((arm, requests),) = [(arm, requests) for arm, requests in seen.items() if requests]
    assert requests[0].value(b"x-cutover-arm") == arm
    return arm, requests[0], answer


def arms(router: Router, path: bytes, identities: list[bytes], name: bytes = b"cutover_id") -> list[bytes]:
    """The arm of each identity, asked one after the other over one connection."""
    for upstream in (router.stable, router.canary):
        upstream.play([steps.serve()])
    found = []
    with router.connect() as client:
        for identity in identities:
            client.send(b"GET %s HTTP/1.1\r\nHost: h\r\nCookie: %s=%s\r\n\r\n" % (path, name, identity))
            found.append(client.answer().value(b"x-cutover-arm") or b"")
    return found


def identities(count: int = MANY) -> list[bytes]:
    return [b"user-%d" % number for number in range(count)]


def test_identity_is_sticky_and_the_share_is_near(router: Router) -> None:
    first = arms(router, b"/half/p", identities())
    assert arms(router, b"/half/p", identities()) == first
    # Binomial, 300 at 50 %: nine standard deviations to either side.
    assert 72 < first.count(b"canary") < 228


def test_raising_a_weight_only_moves_to_canary(router: Router) -> None:
    """The share is a threshold on the same hash: who is canary at 25 % is so at 50 %, and all are at 100 %."""
    quarter = arms(router, b"/quarter/p", identities())
    half = arms(router, b"/half/p", identities())
    assert quarter.count(b"canary") < half.count(b"canary")
    assert all(more == b"canary" for less, more in zip(quarter, half, strict=True) if less == b"canary")
    assert set(arms(router, b"/all/p", identities())) == {b"canary"}
    assert set(arms(router, b"/p", identities())) == {b"stable"}


def test_weight_over_the_api_is_monotone(router: Router) -> None:
    try:
        shares = []
        for percent in (12.5, 25, 0.01, 100, 0):
            body = json.dumps({"percent": percent, "reason": "conformance"}).encode()
            assert router.admin("PUT", "/api/v1/weight", body)[0] == 200
            shares.append(arms(router, b"/p", identities()))
        low, high, least, everyone, none = shares
        assert 0 < low.count(b"canary") < high.count(b"canary") < MANY
        assert all(more == b"canary" for less, more in zip(low, high, strict=True) if less == b"canary")
        assert least.count(b"canary") <= low.count(b"canary")
        assert (set(everyone), set(none)) == ({b"canary"}, {b"stable"})
    finally:
        router.admin("PUT", "/api/v1/weight", b'{"percent": 0, "reason": "conformance"}')


def test_pin_beats_identity(router: Router) -> None:
    assert set(arms(router, b"/canary/p", identities(20))) == {b"canary"}


def test_cookie_is_issued_to_who_has_none(router: Router) -> None:
    _, _, answer = ask(router, b"/p")
    cookie = answer.value(b"set-cookie")
    assert cookie is not None
    match = ISSUED.fullmatch(cookie)
    assert match, cookie
    assert match[2] == b"; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"


def test_issued_cookie_decides_like_any(router: Router) -> None:
    """The first answer comes from the arm that the new identity will see from then on."""
    for _ in range(20):
        arm, _, answer = ask(router, b"/half/p")
        match = ISSUED.match(answer.value(b"set-cookie") or b"")
        assert match
        again, _, answer = ask(router, b"/half/p", b"Cookie: cutover_id=" + match[1] + b"\r\n")
        assert again == arm
        assert answer.values(b"set-cookie") == []


def test_issued_identities_differ(router: Router) -> None:
    assert len({ask(router, b"/p")[2].value(b"set-cookie") for _ in range(5)}) == 5


@pytest.mark.parametrize(
    "cookie", [b"x", b"a" * 128, b"!#$%&'()*+-./:<=>?@[]^_`{|}~", b"0123456789abcdef0123456789abcdef"]
)
@pytest.mark.parametrize("around", [b"%s", b"a=b; %s", b"%s; c=d", b"cutover_ids=1; %s; xcutover_id=2"])
def test_any_cookie_value_is_an_identity(router: Router, cookie: bytes, around: bytes) -> None:
    fields = b"Cookie: " + around.replace(b"%s", b"cutover_id=" + cookie) + b"\r\n"
    _, seen, answer = ask(router, b"/half/p", fields)
    assert answer.values(b"set-cookie") == []
    assert b"Cookie: " + (seen.value(b"cookie") or b"") + b"\r\n" == fields


@pytest.mark.parametrize(
    "fields",
    [b"Cookie: cutover_id=\r\n", b"Cookie: other=1\r\n", b"Cookie: cutover_id=" + b"a" * 129 + b"\r\n",
     b'Cookie: cutover_id="a\\b"\r\n', b"Cookie: cutover_id=caf\xe9\r\n", b"Cookie: xcutover_id=1\r\n",
     b"Cookie: a=cutover_id=1\r\n", b"Cookie: CUTOVER_ID=1\r\n"],
    ids=["empty", "other", "long", "backslash", "obs-text", "suffix", "inside", "case"],
)  # fmt: skip
def test_unfit_cookies_are_replaced_but_passed_on(router: Router, fields: bytes) -> None:
    _, seen, answer = ask(router, b"/half/p", fields)
    assert ISSUED.fullmatch(answer.value(b"set-cookie") or b"")
    assert b"Cookie: " + (seen.value(b"cookie") or b"") + b"\r\n" == fields


def test_cookie_in_a_second_field_counts(router: Router) -> None:
    """HTTP/2 front ends split Cookie into several fields (9113 8.2.3)."""
    _, seen, answer = ask(router, b"/half/p", b"Cookie: a=b\r\nCookie: cutover_id=1\r\n")
    assert answer.values(b"set-cookie") == []
    assert seen.values(b"cookie") == [b"a=b", b"cutover_id=1"]


def test_cookie_joins_those_of_the_upstream(router: Router) -> None:
    router.stable.play(
        [steps.serve(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n")]
    )
    with router.connect() as client:
        client.send(b"GET /p HTTP/1.1\r\nHost: h\r\n\r\n")
        cookies = client.answer().values(b"set-cookie")
    assert len(cookies) == 3
    assert [cookie for cookie in cookies if not cookie.startswith(b"cutover_id=")] == [b"a=1", b"b=2"]


def test_override_is_off_by_default(router: Router) -> None:
    arm, _, _ = ask(router, b"/p", b"X-Cutover-Arm: canary\r\nCookie: cutover_id=1\r\n")
    assert arm == b"stable"


@pytest.mark.parametrize(
    ("path", "fields", "wanted"),
    [
        (b"/p", b"X-Cutover-Arm: canary\r\nX-Cutover-Token: let-me\r\n", b"canary"),
        (b"/all/p", b"X-Cutover-Arm: stable\r\nX-Cutover-Token: let-me\r\n", b"stable"),
        (b"/p", b"X-Cutover-Arm: canary\r\n", b"stable"),
        (b"/p", b"X-Cutover-Arm: canary\r\nX-Cutover-Token: wrong\r\n", b"stable"),
        (b"/p", b"X-Cutover-Arm: other\r\nX-Cutover-Token: let-me\r\n", b"stable"),
        (b"/canary/p", b"X-Cutover-Arm: stable\r\nX-Cutover-Token: let-me\r\n", b"canary"),
    ],
    ids=["to-canary", "to-stable", "no-token", "wrong-token", "unknown-arm", "pin-beats-it"],
)
def test_override(other: Router, path: bytes, fields: bytes, wanted: bytes) -> None:
    arm, seen, answer = ask(other, path, fields + b"Cookie: cutover_id=1\r\n")
    assert arm == wanted
    assert seen.value(b"x-cutover-token") is None
    assert answer.value(b"x-cutover-arm") is None, "expose_arm is off"


def served(router: Router, fields: bytes) -> bytes:
    return ask(router, b"/half/p", fields)[0]


def test_order_of_identities(other: Router) -> None:
    """Header, then our cookie, then the product's session; each alone is enough, and each beats those after it."""
    values = [b"u%d" % number for number in range(12)]
    by_header = [served(other, b"X-User: %s\r\n" % value) for value in values]
    by_cookie = [served(other, b"Cookie: cutover_id=%s\r\n" % value) for value in values]
    by_session = [served(other, b"Cookie: session=%s\r\n" % value) for value in values]
    assert by_header == by_cookie == by_session
    a, b = values[by_header.index(b"canary")], values[by_header.index(b"stable")]
    assert served(other, b"X-User: %s\r\nCookie: cutover_id=%s; session=%s\r\n" % (a, b, b)) == b"canary"
    assert served(other, b"Cookie: session=%s; cutover_id=%s\r\n" % (b, a)) == b"canary"
    assert served(other, b"X-User: %s\r\nCookie: cutover_id=%s\r\n" % (b, a)) == b"stable"


@pytest.mark.parametrize("fields", [b"X-User: u\r\n", b"Cookie: session=s\r\n"], ids=["header", "session"])
def test_no_cookie_when_another_identity_is_there(other: Router, fields: bytes) -> None:
    assert ask(other, b"/p", fields)[2].values(b"set-cookie") == []


def test_workers_agree(other: Router) -> None:
    """Each connection may land on either worker; the arm of an identity is the same."""
    for upstream in (other.stable, other.canary):
        upstream.play([steps.serve_each(lambda target: steps.OK)])
    for _ in range(12):
        assert served(other, b"Cookie: cutover_id=u3\r\n") == served(other, b"Cookie: cutover_id=u3\r\n")
