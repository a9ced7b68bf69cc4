"""Work that only makes sense while its client waits: when the client leaves, it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeVar

from ..web.body import DisconnectedError

T = TypeVar("T")
#: ASGI's receive. The request's body must have been read: the next message is the client's leaving.
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


async def while_present(receive: Receive, work: Awaitable[T]) -> T:
    """The result of `work`, which is cancelled, and has ended, if the client leaves first.

    Raises:
        DisconnectedError: it left.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.create_task(_left(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise DisconnectedError("the client left before its answer was there")
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
