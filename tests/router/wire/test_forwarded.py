"""Who is behind this proxy: what we say, and whose word for it we take (RFC 7239)."""

from __future__ import annotations

import pytest

from router.wire.forwarded import forwarded_lines, is_trusted, networks

TOLD = {
    b"x-forwarded-for": [b"203.0.113.9, 10.0.0.1"],
    b"x-forwarded-proto": [b"https"],
    b"x-forwarded-host": [b"shop.example"],
    b"forwarded": [b"for=203.0.113.9;proto=https", b"for=10.0.0.1"],
}


def lines(*values: bytes) -> bytes:
    names = (b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Host", b"Forwarded")
    return b"".join(b"%b: %b\r\n" % pair for pair in zip(names, values, strict=True))


V4, V6 = "192.0.2.1", "2001:db8::1"


@pytest.mark.parametrize(
    ("peer", "scheme", "host", "element"),
    [
        (V4, b"http", b"h", b"for=192.0.2.1;proto=http;host=h"),
        (V4, b"https", b"a-b.c", b"for=192.0.2.1;proto=https;host=a-b.c"),
        # RFC 7239 4: a value that isn't a token is quoted; 6: IPv6 in brackets and quotes.
        (V4, b"http", b"h:80", b'for=192.0.2.1;proto=http;host="h:80"'),
        (V6, b"http", b"[::1]", b'for="[2001:db8::1]";proto=http;host="[::1]"'),
    ],
)
def test_strangers_are_not_believed(peer: str, scheme: bytes, host: bytes, element: bytes) -> None:
    expected = lines(peer.encode(), scheme, host, element)
    assert forwarded_lines(peer, scheme, host, {}, False) == expected
    assert forwarded_lines(peer, scheme, host, TOLD, False) == expected


def test_no_host_is_made_up() -> None:
    told = forwarded_lines(V4, b"http", b"", TOLD, False)
    assert told == (b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nForwarded: for=192.0.2.1;proto=http\r\n")


def test_trusted_proxies_are_appended_to() -> None:
    assert forwarded_lines("10.0.0.2", b"http", b"h", TOLD, True) == lines(
        b"203.0.113.9, 10.0.0.1, 10.0.0.2",
        b"https",
        b"shop.example",
        b"for=203.0.113.9;proto=https, for=10.0.0.1, for=10.0.0.2;proto=http;host=h",
    )


def test_trusted_proxies_that_say_nothing() -> None:
    assert forwarded_lines("10.0.0.2", b"http", b"h", {}, True) == forwarded_lines("10.0.0.2", b"http", b"h", {}, False)


@pytest.mark.parametrize(
    ("peer", "trusted", "expected"),
    [
        ("10.1.2.3", (), False),
        ("10.1.2.3", ("10.0.0.0/8",), True),
        ("11.1.2.3", ("10.0.0.0/8",), False),
        ("10.1.2.3", ("192.0.2.1", "10.1.2.3"), True),
        ("10.1.2.3", ("10.1.2.3/8",), True),  # host bits are ignored
        ("::1", ("::1/128",), True),
        ("::1", ("127.0.0.0/8",), False),
        ("::ffff:10.1.2.3", ("10.0.0.0/8",), True),  # RFC 4291 2.5.5.2, from a dual-stack socket
        ("::ffff:11.1.2.3", ("10.0.0.0/8",), False),
        ("fe80::1%eth0", ("fe80::/10",), True),
        ("unknown", ("0.0.0.0/0", "::/0"), False),
        ("", ("0.0.0.0/0",), False),
    ],
)
def test_is_trusted(peer: str, trusted: tuple[str, ...], expected: bool) -> None:
    assert is_trusted(peer, networks(trusted)) is expected


@pytest.mark.parametrize("name", ["", "10.0.0.0/33", "example.org"])
def test_what_is_not_a_network(name: str) -> None:
    with pytest.raises(ValueError):
        networks([name])
