"""What parsers that aren't ours read in the bytes that one upstream connection received.

A request may be smuggled wherever two readers count differently, so the same bytes go to three of different temper:
h11 with stricter line checks (reading.py), llhttp as httptools binds it, and one as lenient as the servers that people
run: the standard library's http.server for the head, then the last framing field wins, in whatever spelling.
"""

from __future__ import annotations

from email.message import Message as Head
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from typing import NamedTuple, NoReturn

import httptools

from tests.conformance.reading import Malformed, Reader

#: Registered methods that llhttp doesn't know: it answers them with an error and closes, which is no other reading.
UNKNOWN_TO_LLHTTP = frozenset(
    b"BASELINE-CONTROL CHECKIN LABEL MKREDIRECTREF MKWORKSPACE ORDERPATCH UNCHECKOUT UPDATE UPDATEREDIRECTREF "
    b"VERSION-CONTROL".split()
)


class Seen(NamedTuple):
    """A whole request as some reader understood it."""

    method: bytes
    target: bytes
    body: bytes


class TooLarge(Exception):
    """Beyond a limit of the reader's own; no other reading either."""


def agreed(data: bytes) -> list[Seen]:
    """The whole requests in `data`; `Malformed` unless every reader finds the same ones."""
    found = by_h11(data)
    known = UNKNOWN_TO_LLHTTP.isdisjoint(request.method for request in found)
    for other in (by_httptools, by_http_server) if known else (by_http_server,):
        try:
            different = other(data)
        except TooLarge:
            continue
        if different != found:
            raise Malformed(f"h11 reads {found!r}, {other.__name__} {different!r}, in {data!r}")
    return found


def by_h11(data: bytes) -> list[Seen]:
    whole: list[Seen] = []
    while data:
        reader = Reader()
        request = reader.feed(data)
        if request is None:
            break
        whole.append(Seen(request.line.split(b" ")[0], request.target, request.body))
        data = reader.rest
    return whole


class _Events:
    """Collects what httptools calls back."""

    def __init__(self) -> None:
        self.whole: list[Seen] = []
        self.parser = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        self._target, self._body = b"", b""

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.whole.append(Seen(self.parser.get_method(), self._target, self._body))


def by_httptools(data: bytes) -> list[Seen]:
    whole: list[Seen] = []
    while data:
        events = _Events()
        try:
            events.parser.feed_data(data)
            data = b""
        except httptools.HttpParserUpgrade as upgrade:
            data = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            raise Malformed(f"llhttp refuses it: {error!r}: {data[:2000]!r}") from error
        whole += events.whole
    return whole


class _LenientHead(BaseHTTPRequestHandler):
    """http.server's reading of one head, without a connection around it."""

    def __init__(self, stream: BytesIO) -> None:
        self.rfile = stream
        self.raw_requestline = stream.readline()
        self.parse_request()

    def handle_expect_100(self) -> bool:
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> NoReturn:
        if code == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
            raise TooLarge
        raise Malformed(f"http.server refuses it with {code}: {message}")


def by_http_server(data: bytes) -> list[Seen]:
    whole: list[Seen] = []
    stream = BytesIO(data)
    while stream.tell() < len(data):
        if b"\n\r\n" not in data[stream.tell() :]:
            break
        head = _LenientHead(stream)
        body = _lenient_body(stream, head.headers)
        if body is None:
            break
        method, target = head.requestline.split()[:2]
        whole.append(Seen(method.encode("latin-1"), target.encode("latin-1"), body))
    return whole


def _lenient_body(stream: BytesIO, head: Head) -> bytes | None:
    """The body by the last framing field, `_` being `-`; None when not all of it is there."""
    fields = {name.lower().replace("_", "-"): value for name, value in head.items()}
    if "chunked" in fields.get("transfer-encoding", "").lower():
        return _lenient_chunks(stream)
    length = int(fields.get("content-length", "0"))
    body = stream.read(length)
    return body if len(body) == length else None


def _lenient_chunks(stream: BytesIO) -> bytes | None:
    body = b""
    while line := stream.readline():
        if not line.endswith(b"\n"):
            return None
        size = int(line.partition(b";")[0], 16)
        body += stream.read(size)
        end = stream.readline()
        if not end.endswith(b"\n"):
            return None
        if size == 0:
            return body
    return None
