"""Bounds what a client may send, and notices one that leaves in the middle of it."""

from __future__ import annotations

from typing import Any

from ..errors import BackendError, RequestError

#: Bytes of a body from someone without a session: an e-mail address and a password, generously.
MAX_PUBLIC = 256 * 1024
#: Bytes of a body from a user: a long conversation for a model.
MAX_SIGNED_IN = 16 * 1024 * 1024


class DisconnectedError(BackendError):
    """The client left before its request was whole; nobody is there to answer."""

    status = 499
    label = "disconnected"


class BoundedBody:
    """`receive` of one request that has a body: raises RequestError 413 beyond `limit` bytes."""

    __slots__ = ("_left", "_more", "_receive")

    def __init__(self, receive: Any, limit: int, announced: int) -> None:
        """`announced` is the content-length, 0 if there is none."""
        if announced > limit:
            raise _too_large()
        self._receive = receive
        self._left = limit
        self._more = True

    async def __call__(self) -> Any:
        message = await self._receive()
        if not self._more:
            return message
        if message["type"] == "http.disconnect":
            raise DisconnectedError("the client left while sending its request")
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _too_large()
        self._more = message.get("more_body", False)
        return message


def _too_large() -> RequestError:
    return RequestError(413, "Request Entity Too Large", "too_large")
