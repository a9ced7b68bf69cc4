"""Cases for the fuzzer: good and bad messages, cut, spliced and damaged. Pure: a seeded `Random` in, bytes out."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from random import Random

from tests.conformance.differential.case import CHUNKED, CHUNKS, GET, HEAD, POST, WEBSOCKET
from tests.conformance.differential.page import CASES

#: A case is small enough to be read by a person, and to fit into the socket buffers of a router that stopped reading.
MOST_BYTES = 48 * 1024

CANARY = b"GET /canary/p HTTP/1.1\r\nHost: h\r\n\r\n"
REQUESTS = [
    GET + b"\r\n",
    HEAD + b"\r\n",
    CANARY,
    WEBSOCKET,
    POST + b"\r\n",
    POST + b"Content-Length: 5\r\n\r\nhello",
    POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    CHUNKED + CHUNKS,
    CHUNKED + b"3;a=b\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
    b"PUT /canary/p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    b"GET /p HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET http://h/p HTTP/1.1\r\nHost: h\r\n\r\n",
]
ODD_REQUESTS = [case.send for case in CASES if len(case.send) < 2000]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
IN_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nuntil the end"
ANSWERS = [
    OK,
    IN_CHUNKS,
    UNTIL_CLOSE,
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + b"b" * 3000,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n",
]
ODD_ANSWERS = [
    b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00",
    OK + OK,
    IN_CHUNKS + b"x",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nshort",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    b"",
]

TOKENS = [
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b":", b";", b",", b"\0", b"\x0b", b"\x7f", b"\xa0", b"\xff", b'"',
    b"0", b"1", b"5", b"-", b"+", b"_", b"%", b"#", b"*", b"/", b"?", b"0x", b"00", b"ffffffffffffffff",
    b"9223372036854775808", b"18446744073709551621", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"chunked",
    b"identity", b"gzip, ", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Content_Length: 9\r\n", b"Transfer_Encoding: chunked\r\n", b"Transfer-Encoding : chunked\r\n", b"Host: i\r\n",
    b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: content-length, host\r\n",
    b"Connection: upgrade\r\nUpgrade: websocket\r\n", b"Expect: 100-continue\r\n", b"X-Request-Id: same\r\n",
    b"0\r\n\r\n", b"5\r\nhello\r\n", b"GET /in HTTP/1.1\r\nHost: h\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"X: y\r\n",
    b" folded\r\n",
]  # fmt: skip

REQUEST, ANSWER, BOTH = "request", "answer", "both"


@dataclass(frozen=True)
class Case:
    """What the client sends, segment by segment, and what the upstream answers to the first request, and so on;
    the last answer serves all further requests. Printed as Python that makes it again."""

    kind: str
    send: tuple[bytes, ...]
    answers: tuple[tuple[bytes, ...], ...] = ((OK,),)

    @property
    def bytes(self) -> bytes:
        return b"".join(self.send)

    def whole(self) -> Case:
        """The same case in one segment."""
        return replace(self, send=(self.bytes,))


def make(random: Random) -> Case:
    """A case of any kind."""
    kind = random.choices((REQUEST, ANSWER, BOTH), (6, 3, 1))[0]
    if kind == ANSWER:
        send = b"".join(random.choices(REQUESTS, k=random.randint(1, 2)))
    else:
        seeds = [
            random.choice(REQUESTS if random.random() < 0.5 else ODD_REQUESTS) for _ in range(random.randint(1, 3))
        ]
        send = mutate(random, b"".join(seeds), ODD_REQUESTS)
    if kind == REQUEST:
        answers: tuple[tuple[bytes, ...], ...] = tuple((random.choice(ANSWERS),) for _ in range(random.randint(1, 3)))
    else:
        damaged = mutate(random, random.choice(ANSWERS + ODD_ANSWERS), ANSWERS + ODD_ANSWERS)
        answers = (cut(random, damaged), (OK,))
    return Case(kind, cut(random, send), answers)


def cut(random: Random, data: bytes) -> tuple[bytes, ...]:
    """In one piece, mostly, or in up to four."""
    if len(data) < 2 or random.random() < 0.6:
        return (data,)
    places = sorted(random.sample(range(1, len(data)), min(len(data) - 1, random.randint(1, 3))))
    return tuple(data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True))


def mutate(random: Random, data: bytes, others: list[bytes]) -> bytes:
    """`data` with a few things done to it, or, now and then, as it is."""
    for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3, 5))):
        data = random.choice(_MUTATIONS)(random, data, others)[:MOST_BYTES]
    return data


def _span(random: Random, data: bytes, most: int = 20) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, min(len(data), start + random.randint(0, most))


def _insert(random: Random, data: bytes, others: list[bytes]) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + random.choice(TOKENS) + data[at:]


def _insert_line(random: Random, data: bytes, others: list[bytes]) -> bytes:
    """Behind some line end, where a field may stand."""
    ends = [match.end() for match in re.finditer(rb"\r\n", data)] or [0]
    at = random.choice(ends)
    return data[:at] + random.choice(TOKENS) + data[at:]


def _overwrite(random: Random, data: bytes, others: list[bytes]) -> bytes:
    start, end = _span(random, data, 3)
    return data[:start] + random.choice(TOKENS) + data[end:]


def _flip(random: Random, data: bytes, others: list[bytes]) -> bytes:
    changed = bytearray(data or b"\0")
    changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _delete(random: Random, data: bytes, others: list[bytes]) -> bytes:
    start, end = _span(random, data)
    return data[:start] + data[end:]


def _repeat(random: Random, data: bytes, others: list[bytes]) -> bytes:
    start, end = _span(random, data)
    return data[:end] + data[start:end] * random.choice((1, 1, 1, 2, 120, 700)) + data[end:]


def _repeat_line(random: Random, data: bytes, others: list[bytes]) -> bytes:
    lines = data.split(b"\r\n")
    lines.insert(random.randrange(len(lines) + 1), random.choice(lines))
    return b"\r\n".join(lines)


def _swap_lines(random: Random, data: bytes, others: list[bytes]) -> bytes:
    lines = data.split(b"\r\n")
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\r\n".join(lines)


def _other_line_end(random: Random, data: bytes, others: list[bytes]) -> bytes:
    put = random.choice((b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n "))
    if random.random() < 0.2:
        return data.replace(b"\r\n", put)
    pieces = data.split(b"\r\n")
    at = random.randrange(len(pieces))
    return b"\r\n".join(pieces[:at]) + put + b"\r\n".join(pieces[at:])


def _other_case(random: Random, data: bytes, others: list[bytes]) -> bytes:
    start, end = _span(random, data)
    return data[:start] + data[start:end].swapcase() + data[end:]


def _other_number(random: Random, data: bytes, others: list[bytes]) -> bytes:
    numbers = list(re.finditer(rb"[0-9]+", data))
    if not numbers:
        return data
    match = random.choice(numbers)
    value = int(match[0][:18])
    put = random.choice((value + 1, max(0, value - 1), value * 10, 0, 2**31, 2**63, 2**64 + value))
    return data[: match.start()] + b"%d" % put + data[match.end() :]


def _splice(random: Random, data: bytes, others: list[bytes]) -> bytes:
    other = random.choice(others)
    return data[: random.randint(0, len(data))] + other[random.randint(0, len(other)) :]


def _follow(random: Random, data: bytes, others: list[bytes]) -> bytes:
    return data + random.choice(others)


def _truncate(random: Random, data: bytes, others: list[bytes]) -> bytes:
    return data[: random.randint(0, len(data))]


_MUTATIONS = (
    _insert, _insert, _insert_line, _insert_line, _overwrite, _overwrite, _flip, _delete, _repeat, _repeat_line,
    _swap_lines, _other_line_end, _other_case, _other_number, _splice, _follow, _truncate,
)  # fmt: skip
