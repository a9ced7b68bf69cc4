"""H3, H4, request ids: what the router adds on either side, and that a client can't forge or remove it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.conformance import steps
from tests.conformance.reading import Message
from tests.conformance.router import Router, running_router
from tests.conformance.upstream import Upstream

MADE_ID = re.compile(rb"[0-9a-f]{32}")


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory, stable: Upstream, canary: Upstream) -> Iterator[Router]:
    folder = tmp_path_factory.mktemp("trusting")
    settings = 'trusted_proxies = ["127.0.0.0/8"]\n'
    with running_router(folder, stable, canary, settings) as running:
        yield running


def exchange(router: Router, fields: bytes, host: bytes = b"h:80", answer: bytes = steps.OK) -> tuple[Message, Message]:
    """One GET with these fields → what the upstream saw, what the client saw."""
    router.stable.play([steps.serve(answer)])
    with router.connect() as client:
        client.send(b"GET /p HTTP/1.1\r\nHost: " + host + b"\r\n" + fields + b"\r\n")
        saw = client.answer()
    router.stable.finish()
    (seen,) = router.stable.requests()
    return seen, saw


def forwarded(value: bytes) -> list[dict[bytes, bytes]]:
    """RFC 7239 section 4 → its elements; quoted strings lose their quotes."""
    elements = []
    for element in re.findall(rb'(?:[^,"]|"(?:[^"\\]|\\.)*")+', value):
        pairs = re.findall(rb'\s*([!#$%&\'*+\-.^_`|~\w]+)=("(?:[^"\\]|\\.)*"|[^;,"\s]+)', element)
        assert b";".join(b"%s=%s" % pair for pair in pairs) == re.sub(rb"\s", b"", element), f"malformed: {value!r}"
        for name, text in pairs:
            quoted = text.startswith(b'"')
            assert quoted or re.fullmatch(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", text), (
                f"{name!r} has to be quoted: {value!r}"
            )
        elements.append({name.lower(): text.strip(b'"') for name, text in pairs})
    return elements


FORGED = (
    b"X-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 2.2.2.2\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n"
    b"Forwarded: for=1.1.1.1;host=evil;proto=https\r\nFORWARDED: for=2.2.2.2\r\n"
)


@pytest.mark.parametrize("fields", [b"", FORGED], ids=["none", "forged"])
@pytest.mark.parametrize("host", [b"h", b"h:80", b"[::1]:80"])
def test_H3_untrusted_peer_is_replaced(router: Router, fields: bytes, host: bytes) -> None:
    seen, _ = exchange(router, fields, host)
    assert seen.value(b"x-forwarded-for") == b"127.0.0.1"
    assert seen.value(b"x-forwarded-proto") == b"http"
    assert seen.value(b"x-forwarded-host") == host
    value = seen.value(b"forwarded")
    assert value is not None
    assert forwarded(value) == [{b"for": b"127.0.0.1", b"host": host, b"proto": b"http"}]


def test_H3_trusted_peer_is_extended(trusting: Router) -> None:
    seen, _ = exchange(
        trusting,
        b"X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\n"
        b'Forwarded: for=1.1.1.1;proto=https, for="[2001:db8::1]"\r\n',
    )
    assert b",".join(seen.values(b"x-forwarded-for")).replace(b" ", b"") == b"1.1.1.1,2.2.2.2,127.0.0.1"
    assert seen.value(b"x-forwarded-proto") == b"https"
    assert seen.value(b"x-forwarded-host") == b"shop.example"
    elements = forwarded(b", ".join(seen.values(b"forwarded")))
    assert [element[b"for"] for element in elements] == [b"1.1.1.1", b"[2001:db8::1]", b"127.0.0.1"]


def test_H3_trusted_peer_that_says_nothing(trusting: Router) -> None:
    seen, _ = exchange(trusting, b"")
    assert seen.value(b"x-forwarded-for") == b"127.0.0.1"
    assert seen.value(b"x-forwarded-proto") == b"http"
    assert seen.value(b"x-forwarded-host") == b"h:80"


def test_H3_trusted_peer_with_several_lines(trusting: Router) -> None:
    """Several lines are one list (9110 5.3); none may be lost, ours comes last."""
    seen, _ = exchange(trusting, b"X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n")
    assert b",".join(seen.values(b"x-forwarded-for")).replace(b" ", b"") == b"1.1.1.1,2.2.2.2,127.0.0.1"


TWINS = [b"X_Forwarded_For", b"X-Forwarded_For", b"x_forwarded_proto", b"X_FORWARDED_HOST", b"X_Cutover_Arm",
         b"X-Cutover_Arm", b"x_request_id", b"Content_Length", b"Transfer_Encoding"]  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("which", ["router", "trusting"])
def test_H3_underscore_twins_are_dropped(request: pytest.FixtureRequest, name: bytes, which: str) -> None:
    """WSGI and CGI servers can't tell X_Forwarded_For from X-Forwarded-For; so no twin of ours gets through."""
    running: Router = request.getfixturevalue(which)
    seen, _ = exchange(running, name + b": 66\r\n")
    assert name.lower() not in [found.lower() for found, _ in seen.fields]


@pytest.mark.parametrize(
    "name", [b"X-Cutover-Arm", b"x-cutover-arm", b"X-Cutover-Shadow", b"X-Cutover-Token", b"X-CUTOVER-X"]
)
@pytest.mark.parametrize("which", ["router", "trusting"])
def test_H3_internal_fields_of_clients_are_stripped(request: pytest.FixtureRequest, name: bytes, which: str) -> None:
    running: Router = request.getfixturevalue(which)
    seen, saw = exchange(running, name + b": canary\r\n")
    internal = {found.lower(): value for found, value in seen.fields if found.lower().startswith(b"x-cutover")}
    assert internal == {b"x-cutover-arm": b"stable"}
    assert saw.value(b"x-cutover-arm") == b"stable"


def test_H2_added_fields_cannot_be_named_away(router: Router) -> None:
    names = b"X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Forwarded, X-Request-Id, X-Cutover-Arm"
    seen, saw = exchange(router, b"Connection: " + names + b"\r\n")
    for name in names.split(b", "):
        assert seen.value(name), name
    assert saw.value(b"x-request-id") == seen.value(b"x-request-id")


@pytest.mark.parametrize("own", [b"abc-123", b"x", b"a" * 128, b"!~:/;=,\"'()"])
def test_request_id_is_kept(router: Router, own: bytes) -> None:
    seen, saw = exchange(router, b"X-Request-ID: " + own + b"\r\n")
    assert (seen.value(b"x-request-id"), saw.value(b"x-request-id")) == (own, own)


@pytest.mark.parametrize(
    "fields",
    [b"", b"X-Request-Id:\r\n", b"X-Request-Id: a b\r\n", b"X-Request-Id: a\tb\r\n", b"X-Request-Id: caf\xe9\r\n",
     b"X-Request-Id: " + b"a" * 129 + b"\r\n"],
    ids=["none", "empty", "space", "tab", "obs-text", "long"],
)  # fmt: skip
def test_H4_request_id_is_made_when_unfit(router: Router, fields: bytes) -> None:
    seen, saw = exchange(router, fields)
    own = seen.value(b"x-request-id")
    assert own is not None
    assert MADE_ID.fullmatch(own)
    assert saw.value(b"x-request-id") == own


def test_request_id_sent_twice_reaches_the_upstream_once(router: Router) -> None:
    seen, saw = exchange(router, b"X-Request-Id: a\r\nX-Request-Id: b\r\n")
    assert seen.value(b"x-request-id") == saw.value(b"x-request-id") is not None


def test_request_ids_differ(router: Router) -> None:
    made = {exchange(router, b"")[0].value(b"x-request-id") for _ in range(5)}
    assert len(made) == 5


def test_answers_carry_our_id_and_arm_only(router: Router) -> None:
    theirs = b"HTTP/1.1 200 OK\r\nX-Request-Id: theirs\r\nX-Cutover-Arm: canary\r\nContent-Length: 0\r\n\r\n"
    _, saw = exchange(router, b"X-Request-Id: ours\r\n", answer=theirs)
    assert saw.value(b"x-request-id") == b"ours"
    assert saw.value(b"x-cutover-arm") == b"stable"


def test_errors_carry_a_request_id(router: Router) -> None:
    """`Every answer carries X-Request-Id`: also one that the router makes while the head could be read."""
    router.stable.play([steps.message(), steps.close()])
    with router.connect() as client:
        client.send(b"GET /p HTTP/1.1\r\nHost: h\r\nX-Request-Id: ours\r\n\r\n")
        answer = client.answer()
    assert (answer.status, answer.value(b"x-request-id")) == (502, b"ours")


def test_traceparent_passes_through(router: Router) -> None:
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    seen, _ = exchange(router, b"traceparent: " + trace + b"\r\n")
    assert seen.value(b"traceparent") == trace


def test_old_clients_keep_alive_is_confirmed(router: Router) -> None:
    """A 1.0 client only knows that the connection lives on when the answer says so (9112 C.2.2)."""
    router.stable.play([steps.serve()])
    with router.connect() as client:
        client.send(b"GET / HTTP/1.0\r\nHost: h\r\nConnection: Keep-Alive\r\n\r\n")
        answer = client.answer()
    assert (answer.value(b"connection") or b"").lower() == b"keep-alive"
