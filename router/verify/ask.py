"""Asking one backend: exactly the case's request, nothing kept between two of them, the answer bounded.

The transport is used without httpx's client, which follows redirects, keeps cookies and adds headers. Each request
has a connection of its own, so that no answer depends on the one before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from ..client import UnreachableError
from ..errors import ConfigError
from ..shadow.answer import Answer, Body
from .cases import Case, filled


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Connected, but no whole answer came; `why` in words."""

    why: str


class Backend:
    """One side. `host` is sent as Host, the same to both, as clients do through the router."""

    def __init__(self, name: str, url: str, host: str, timeout: float) -> None:
        self.name = name
        self.values: dict[str, str] = {}
        self._url = httpx.URL(url)
        self._host = host
        self._timeout = timeout
        self._transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0), trust_env=False)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Backend]:
        async with self._transport:
            yield self

    async def ask(self, case: Case) -> Answer | NoAnswer:
        """Send the case's request with this side's captured values.

        Raises:
            UnreachableError: no connection can be made.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(self._request(case))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise UnreachableError(f"{self.name} can't be reached at {self._url}: {error}; is it running?") from None
        except TimeoutError:
            return NoAnswer(f"no whole answer within {self._timeout:g} s")
        except httpx.LocalProtocolError:
            return NoAnswer("the request can't be sent: it breaks HTTP")
        except httpx.TransportError as error:
            return NoAnswer(f"the connection broke before a whole answer came ({type(error).__name__})")

    def _request(self, case: Case) -> httpx.Request:
        headers = {name: filled(value, self.values) for name, value in case.headers.items()}
        if not any(name.lower() == "host" for name in headers):
            headers = {"Host": self._host, **headers}
        target = self._url.raw_path.rstrip(b"/") + filled(case.path, self.values).encode()
        body = None if case.body is None else filled(case.body, self.values).encode()
        # As it stands in the case: httpx would write some characters of it in another way.
        return httpx.Request(case.method, self._url, headers=headers, content=body, extensions={"target": target})

    async def _exchange(self, request: httpx.Request) -> Answer:
        response = await self._transport.handle_async_request(request)
        body = Body()
        try:
            assert isinstance(response.stream, httpx.AsyncByteStream)
            async for piece in response.stream:
                body.add(piece)
        finally:
            await response.aclose()
        lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw]
        return body.answer(response.status_code, lines)


def checked_url(side: str, url: str) -> httpx.URL:
    """The URL of a side.

    Raises:
        ConfigError: it can't be one.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo or parsed.query:
        raise ConfigError(f"{side}: not the URL of a backend; write http://host:port")
    return parsed


def session_value(session: str) -> str:
    """The value of a session cookie, given as such or with its name, as browsers show it (`name=value`)."""
    name, equals, value = session.partition("=")
    named = equals and name.replace("-", "").replace(".", "").isidentifier() and value.strip("=")
    return value if named else session
