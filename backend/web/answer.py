"""Answers as the Go backend writes them: JSON with its content type and a line end, errors under their key.

An `Answer` is an ASGI application, so that Starlette's endpoints can return it; nothing here depends on Starlette.
"""

from __future__ import annotations

from typing import Any

import orjson

from ..errors import BackendError

JSON = b"application/json"
TEXT = b"text/plain; charset=UTF-8"

Header = tuple[bytes, bytes]


class Answer:
    """A whole answer: status, content type (None: none), body, further header lines in order."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self, status: int, body: bytes = b"", content_type: bytes | None = None, headers: tuple[Header, ...] = ()
    ) -> None:
        self.status = status
        self.body = body
        if content_type is not None:
            headers = ((b"content-type", content_type), (b"content-length", b"%d" % len(body)), *headers)
        self.headers = headers

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": self.body})


def json(content: object, status: int = 200, headers: tuple[Header, ...] = ()) -> Answer:
    """`content` as JSON; `orjson.Fragment` in it goes out unparsed."""
    return Answer(status, orjson.dumps(content) + b"\n", JSON, headers)


def text(content: str, status: int = 200) -> Answer:
    return Answer(status, content.encode(), TEXT)


def no_content(headers: tuple[Header, ...] = ()) -> Answer:
    return Answer(204, headers=headers)


def error(found: BackendError) -> Answer:
    """The answer to an error of our tree."""
    headers: tuple[Header, ...] = ()
    if found.retry_after is not None:
        headers = ((b"retry-after", b"%d" % found.retry_after),)
    return json({found.key: str(found)}, found.status, headers)
