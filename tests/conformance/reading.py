"""Strict reading of what the router emitted, on either side; the second opinion is h11, plus stricter line checks.

Pure: bytes in, parsed messages and normal forms out. No sockets and no expectations about particular cases here.

A *normal form* is what a case writes down: start line, then the forwarded fields in their order, case and bytes,
then the framing field, an empty line and the decoded body. What the router adds on its own is taken out first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import h11

Fields = tuple[tuple[bytes, bytes], ...]

ADDED_TO_REQUESTS = frozenset(
    {
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-forwarded-host",
        b"forwarded",
        b"x-request-id",
        b"x-cutover-arm",
    }
)
# RFC 9110 6.6.1 lets (and asks) a recipient with a clock add a Date that is missing.
ADDED_TO_ANSWERS = frozenset({b"x-request-id", b"x-cutover-arm", b"connection", b"keep-alive", b"date"})
FRAMING = frozenset({b"content-length", b"transfer-encoding"})

_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*", re.DOTALL)
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Malformed(AssertionError):
    """The router emitted something that a strict reader refuses."""


@dataclass(frozen=True)
class Message:
    """One message as a strict reader sees it; `complete` is False when its end never came."""

    line: bytes
    fields: Fields
    body: bytes = b""
    complete: bool = True
    interim: tuple[tuple[int, Fields], ...] = ()
    raw: bytes = field(default=b"", repr=False)

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def value(self, name: bytes) -> bytes | None:
        """The only value of a field, None when it is missing; two of them are a failure."""
        values = self.values(name)
        if len(values) > 1:
            raise Malformed(f"{name!r} occurs {len(values)} times: {values!r}")
        return values[0] if values else None

    @property
    def status(self) -> int:
        return int(self.line.split(b" ", 2)[1])

    @property
    def target(self) -> bytes:
        return self.line.split(b" ")[1]

    @property
    def closes(self) -> bool:
        tokens = [token.strip().lower() for token in b",".join(self.values(b"connection")).split(b",")]
        return b"close" in tokens or (self.line.startswith(b"HTTP/1.0") and b"keep-alive" not in tokens)


def read_head(head: bytes) -> tuple[bytes, Fields]:
    """`head` without its empty line → start line and fields; CRLF only, tokens only, no control characters."""
    lines = head.split(b"\r\n")
    fields: list[tuple[bytes, bytes]] = []
    for line in lines:
        if _FORBIDDEN.search(line):
            raise Malformed(f"control character or bare line end in {line!r}")
    for line in lines[1:]:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise Malformed(f"not a field line: {line!r}")
        fields.append((match[1], match[2]))
    _check_framing(fields)
    return lines[0], tuple(fields)


def _check_framing(fields: list[tuple[bytes, bytes]]) -> None:
    framing = [name.lower() for name, _ in fields if name.lower() in FRAMING]
    if len(framing) > 1:
        raise Malformed(f"framed more than once: {framing}")


def normal_request(seen: Message) -> bytes:
    """The normal form of a request that the upstream saw."""
    kept = [item for item in seen.fields if item[0].lower() not in ADDED_TO_REQUESTS | FRAMING]
    # `Connection: keep-alive` of our own is harmless; any other value has to be expected by the case.
    kept = [item for item in kept if (item[0].lower(), item[1].lower()) != (b"connection", b"keep-alive")]
    return _normal(seen.line, kept, _request_framing(seen), seen.body)


def _request_framing(seen: Message) -> bytes:
    """RFC 9110 8.6: a request without content may or may not say `Content-Length: 0`; both are the same."""
    framing = _framing(seen)
    return b"" if framing == b"Content-Length: 0\r\n" else framing


def normal_answer(saw: Message) -> bytes:
    """The normal form of an answer that the client saw: no reason phrase, no field of the router's own."""
    kept = [
        item
        for item in saw.fields
        if item[0].lower() not in ADDED_TO_ANSWERS | FRAMING
        and not (item[0].lower() == b"set-cookie" and item[1].startswith(b"cutover_id="))
    ]
    version, status = saw.line.split(b" ")[:2]
    return _normal(version + b" " + status, kept, _framing(saw), saw.body)


def _framing(message: Message) -> bytes:
    for name, value in message.fields:
        if name.lower() == b"content-length":
            return b"Content-Length: " + value + b"\r\n"
        if name.lower() == b"transfer-encoding":
            return b"Transfer-Encoding: " + value.lower() + b"\r\n"
    return b""


def _normal(line: bytes, fields: list[tuple[bytes, bytes]], framing: bytes, body: bytes) -> bytes:
    return line + b"\r\n" + b"".join(b"%s: %s\r\n" % item for item in fields) + framing + b"\r\n" + body


class Reader:
    """Reads one message from bytes that arrive bit by bit: `feed` until it returns a `Message`."""

    def __init__(self, method: bytes | None = None) -> None:
        """`method` is that of the request whose answer is read; None reads a request."""
        role = h11.SERVER if method is None else h11.CLIENT
        self._h11 = h11.Connection(role, max_incomplete_event_size=1024 * 1024)
        if method is not None:
            fields = [(b"host", b"h"), (b"upgrade", b"websocket"), (b"connection", b"upgrade")]
            self._h11.send(h11.Request(method=method, target=b"/", headers=fields))
            self._h11.send(h11.EndOfMessage())
        self._raw = bytearray()
        self._head: tuple[bytes, Fields] | None = None
        self._body: list[bytes] = []
        self._interim: list[tuple[int, Fields]] = []
        self._heads_read = 0
        self.rest = b""

    def feed(self, data: bytes) -> Message | None:
        """Empty `data` is the end of the connection."""
        self._raw += data
        try:
            self._h11.receive_data(data)
            while True:
                event = self._h11.next_event()
                if event is h11.NEED_DATA:
                    return None
                if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    return self._finish(self._head is not None)
                if isinstance(event, (h11.Request, h11.Response)):
                    self._head = self._take_head()
                elif isinstance(event, h11.InformationalResponse):
                    head = self._take_head()
                    if event.status_code == 101:
                        self._head = head
                        return self._finish(True)
                    self._interim.append((event.status_code, head[1]))
                elif isinstance(event, h11.Data):
                    self._body.append(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage):
                    if event.headers:
                        raise Malformed(f"trailers were forwarded: {event.headers!r}")
                    return self._finish(True)
        except h11.RemoteProtocolError as error:
            if not data:
                return self._finish(False)
            raise Malformed(f"h11 refuses it: {error}: {bytes(self._raw[:2000])!r}") from error

    def partial(self) -> Message:
        """What there is of a message whose end did not come."""
        return self._finish(False)

    def _take_head(self) -> tuple[bytes, Fields]:
        """The raw bytes of the next head in line (interim answers come before the final one)."""
        end = self._raw.find(b"\r\n\r\n", self._heads_read)
        if end < 0:
            raise Malformed(f"head doesn't end in CRLF CRLF: {bytes(self._raw[:200])!r}")
        head = read_head(bytes(self._raw[self._heads_read : end]))
        self._heads_read = end + 4
        return head

    def _finish(self, complete: bool) -> Message:
        self.rest = self._h11.trailing_data[0]
        line, fields = self._head or (b"", ())
        raw = bytes(self._raw[: len(self._raw) - len(self.rest)])
        return Message(line, fields, b"".join(self._body), complete, tuple(self._interim), raw)


def read_requests(data: bytes) -> list[Message]:
    """All requests in what one upstream connection received; the last one may be incomplete."""
    requests: list[Message] = []
    while data:
        reader = Reader()
        message = reader.feed(data)
        if message is None:
            requests.append(reader.partial())
            break
        requests.append(message)
        if message.value(b"upgrade") is not None:
            break  # what follows is a tunnel's
        data = reader.rest
    return requests
