"""Who is behind this proxy: X-Forwarded-For, -Proto, -Host and Forwarded (RFC 7239), written anew at every hop.

What a client says of itself is believed only when its address is a trusted proxy's; everyone else's is replaced.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

Networks = Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]


def networks(names: Iterable[str]) -> Networks:
    """CIDR names → networks; `ValueError` on one that isn't."""
    return [ipaddress.ip_network(name, strict=False) for name in names]


def is_trusted(peer: str, trusted: Networks) -> bool:
    """Whether the address `peer` lies in one of `trusted`; an IPv4 peer of a dual-stack socket counts as IPv4."""
    if not trusted:
        return False
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in trusted)


def forwarded_lines(peer: str, scheme: bytes, host: bytes, told: dict[bytes, list[bytes]], trusted: bool) -> bytes:
    """The four field lines, each ended by CRLF; `told` holds what the client sent, by lower-case name."""
    address = peer.encode("ascii", "replace")
    node = b'"[' + address + b']"' if b":" in address else address
    element = b"for=" + node + b";proto=" + scheme
    if host:
        element += b";host=" + (host if _is_token(host) else b'"' + host + b'"')
    hops, elements, proto, name = [address], [element], scheme, host
    if trusted:
        hops = [*told.get(b"x-forwarded-for", []), address]
        elements = [*told.get(b"forwarded", []), element]
        proto = told.get(b"x-forwarded-proto", [scheme])[0]
        name = told.get(b"x-forwarded-host", [host])[0]
    lines = [
        b"X-Forwarded-For: " + b", ".join(hops),
        b"X-Forwarded-Proto: " + proto,
        b"X-Forwarded-Host: " + name,
        b"Forwarded: " + b", ".join(elements),
        b"",
    ]
    if not name:
        del lines[2]
    return b"\r\n".join(lines)


def _is_token(host: bytes) -> bool:
    return host.replace(b".", b"").replace(b"-", b"").isalnum()
