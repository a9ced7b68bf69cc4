"""Field sections: grammar, limits, which lines are found, dropped or named away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.fields import (
    HOP_BY_HOP,
    FieldError,
    FieldScanner,
    HeadLimits,
    check_fields,
    content_length,
    cut,
    cut_named,
    named_by_connection,
    options,
)

LIMITS = HeadLimits(field=64, head=512, fields=4)

GOOD = [
    ("none", "RFC 9112 2.1", b""),
    ("plain", "RFC 9112 5", b"\r\nA: b"),
    ("no space", "RFC 9112 5.1", b"\r\nA:b"),
    ("empty value", "RFC 9110 5.5", b"\r\nA:"),
    ("tabs around the value", "RFC 9112 5.1", b"\r\nA:\t b \t"),
    ("every token character", "RFC 9110 5.6.2", b"\r\n!#$%&'*+-.^_`|~09AZaz: b"),
    ("obs-text", "RFC 9110 5.5", b"\r\nA: caf\xc3\xa9\xff"),
    ("colons in the value", "RFC 9110 5.5", b"\r\nA: b:c:"),
    ("as many as allowed", "H5", b"\r\nA: b" * LIMITS.fields),
    ("as long as allowed", "H5", b"\r\nA: " + b"b" * (LIMITS.field - 3)),
]

BAD = [
    ("folded", "RFC 9112 5.2", b"\r\nA: b\r\n c", "folded"),
    ("folded by a tab", "RFC 9112 5.2", b"\r\nA: b\r\n\tc", "folded"),
    ("space before the first", "RFC 9112 2.2", b"\r\n A: b", "folded"),
    ("space before the colon", "RFC 9112 5.1", b"\r\nA : b", "token"),
    ("tab before the colon", "RFC 9112 5.1", b"\r\nA\t: b", "token"),
    ("no colon", "RFC 9112 5", b"\r\nA", "colon"),
    ("no name", "RFC 9112 5", b"\r\n: b", "token"),
    ("name with a delimiter", "RFC 9110 5.6.2", b"\r\nA(b): c", "token"),
    ("name with obs-text", "RFC 9110 5.6.2", b"\r\nA\xe9: c", "token"),
    ("NUL in the name", "RFC 9110 5.6.2", b"\r\nA\0: c", "token"),
    ("NUL", "RFC 9110 5.5", b"\r\nA: b\0c", "control"),
    ("bare CR", "RFC 9112 2.2", b"\r\nA: b\rc", "control"),
    ("bare CR at the end", "RFC 9112 2.2", b"\r\nA: b\r", "control"),
    ("bare LF", "RFC 9112 2.2", b"\r\nA: b\nC: d", "control"),
    ("bell", "RFC 9110 5.5", b"\r\nA: \x07", "control"),
    ("DEL", "RFC 9110 5.5", b"\r\nA: \x7f", "control"),
    ("an empty line within", "RFC 9112 2.1", b"\r\nA: b\r\n\r\nC: d", "colon"),
    ("CRLF at the end", "RFC 9112 2.1", b"\r\nA: b\r\n", "colon"),
]

LARGE = [
    ("one field too many", b"\r\nA: b" * (LIMITS.fields + 1)),
    ("one byte too many", b"\r\nA: " + b"b" * (LIMITS.field - 2)),
    ("one byte too many in the last", b"\r\nA: b\r\nA: " + b"b" * (LIMITS.field - 2)),
    ("a long name", b"\r\n" + b"a" * LIMITS.field + b":"),
]


@pytest.mark.parametrize(("block", "rfc"), [pytest.param(block, rfc, id=name) for name, rfc, block in GOOD])
def test_valid_sections(block: bytes, rfc: str) -> None:
    check_fields(block, LIMITS, 0, len(block))
    check_fields(b"GET /" + block + b"\r\n\r\n", LIMITS, 5, 5 + len(block))


@pytest.mark.parametrize(
    ("block", "rfc", "why"), [pytest.param(block, rfc, why, id=name) for name, rfc, block, why in BAD]
)
def test_invalid_sections(block: bytes, rfc: str, why: str) -> None:
    with pytest.raises(FieldError, match=why) as caught:
        check_fields(block, LIMITS, 0, len(block))
    assert not caught.value.too_large


@pytest.mark.parametrize("block", [pytest.param(block, id=name) for name, block in LARGE])
def test_sections_over_a_limit(block: bytes) -> None:
    with pytest.raises(FieldError) as caught:
        check_fields(block, LIMITS, 0, len(block))
    assert caught.value.too_large


@given(st.integers(0, 255), st.sampled_from([b"name", b"value"]))
def test_each_octet_by_itself(octet: int, where: bytes) -> None:
    """RFC 9110 5.6.2 for names; 5.5 for values, where HTAB, SP, VCHAR and obs-text are allowed."""
    char = bytes([octet])
    block = b"\r\nA%b: x" % char if where == b"name" else b"\r\nA: x%by" % char
    token = (char.isalnum() and octet < 128) or char in b"!#$%&'*+-.^_`|~"
    # A colon ends the name, and the rest is a value.
    valid = (token or char == b":") if where == b"name" else octet == 9 or (octet >= 32 and octet != 127)
    try:
        check_fields(block, LIMITS, 0, len(block))
    except FieldError:
        assert not valid
    else:
        assert valid


@given(st.binary(max_size=200))
def test_random_sections_raise_nothing_else(block: bytes) -> None:
    try:
        check_fields(block, LIMITS, 0, len(block))
    except FieldError:
        pass


SCAN = [
    ("exact", b"\r\nHost: h", [(b"Host", b"h")]),
    ("any case", b"\r\nhOsT: h", [(b"hOsT", b"h")]),
    ("not a longer name", b"\r\nHosts: h\r\nHost-x: h\r\nxHost: h", []),
    ("not inside a value", b"\r\nA: host: h", []),
    ("twin with an underscore", b"\r\nX_Real_Ip: 1", [(b"X_Real_Ip", b"1")]),
    ("half a twin", b"\r\nX-Real_Ip: 1", [(b"X-Real_Ip", b"1")]),
    ("prefix", b"\r\nIn-House-x: 1\r\nin_house_: 2\r\nIn-House: 3", [(b"In-House-x", b"1"), (b"in_house_", b"2")]),
    ("all of them in order", b"\r\nHost: 1\r\nA: b\r\nHost: 2 \t", [(b"Host", b"1"), (b"Host", b"2 \t")]),
]


@pytest.mark.parametrize(("block", "found"), [pytest.param(block, found, id=name) for name, block, found in SCAN])
def test_scanner_finds(block: bytes, found: list[tuple[bytes, bytes]]) -> None:
    scanner = FieldScanner(HeadLimits(), [b"host", b"x-real-ip", b"in-house-*"])
    head = b"GET / HTTP/1.1" + block + b"\r\n\r\n"
    matches = scanner.scan(head, 14, len(head) - 4)
    assert [(match[1], match[2]) for match in matches] == found
    assert all(match[0].startswith(b"\r\n" + match[1]) for match in matches)
    gone = cut(head, 14, len(head) - 4, matches)
    assert not any(match[0] in gone for match in matches)


def test_scanner_refuses_what_is_invalid() -> None:
    with pytest.raises(FieldError):
        FieldScanner(HeadLimits(), [b"host"]).scan(b"\r\nHost: h\r\n x", 0, 13)


@pytest.mark.parametrize(
    ("named", "left"),
    [
        ({b"a"}, b"\r\nB: 2\r\nAB: 3"),
        ({b"b"}, b"\r\nA: 1\r\na:\r\nAB: 3"),
        ({b"ab", b"b"}, b"\r\nA: 1\r\na:"),
        ({b"c"}, b"\r\nA: 1\r\na:\r\nB: 2\r\nAB: 3"),
        ({b"a", b"b", b"ab"}, b""),
    ],
)
def test_cut_named(named: set[bytes], left: bytes) -> None:
    """RFC 9110 7.6.1: by name, in any case, and nothing but the lines of that name."""
    assert cut_named(b"\r\nA: 1\r\na:\r\nB: 2\r\nAB: 3", named) == left


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([b""], []),
        ([b"close"], [b"close"]),
        ([b"Close, X-A"], [b"close", b"x-a"]),
        ([b" a ,\tb\t"], [b"a", b"b"]),
        ([b",a,,b,"], [b"a", b"b"]),
        ([b"a", b"b, c"], [b"a", b"b", b"c"]),
    ],
)
def test_options(values: list[bytes], expected: list[bytes]) -> None:
    """RFC 9110 5.6.1: empty list members are ignored."""
    assert options(values) == expected


@pytest.mark.parametrize(
    ("values", "length"),
    [([], None), ([b"0"], 0), ([b"7"], 7), ([b"10"], 10), ([b"9" * 18], 10**18 - 1)],
)
def test_content_length(values: list[bytes], length: int | None) -> None:
    assert content_length(values) == length


@pytest.mark.parametrize(
    "values",
    [
        *([value] for value in (b"", b"00", b"003", b"+1", b"-1", b"1 1", b"1,1", b"1, 1", b"0x1", b"1.0", b"1e1")),
        *([value] for value in (b"9" * 19, b"1_0", "٣".encode(), b"\xb2", b" 1", b"1\n")),
        [b"1", b"1"],
        [b"1", b"2"],
    ],
    ids=repr,
)
def test_unusable_content_length(values: list[bytes]) -> None:
    """F2 and RFC 9112 6.3, rule 5."""
    with pytest.raises(FieldError):
        content_length(values)


@pytest.mark.parametrize("name", [b"host", b"content-length", b"transfer-encoding"])
def test_framing_cannot_be_named_away(name: bytes) -> None:
    """F4: `Connection: transfer-encoding` changes nothing."""
    assert named_by_connection([b"close", name, b"x-a"]) == {b"x-a"}


def test_hop_by_hop_names() -> None:
    """RFC 9110 7.6.1."""
    assert {b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"} <= HOP_BY_HOP
    assert all(name == name.lower() for name in HOP_BY_HOP)
