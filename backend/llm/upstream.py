"""The native endpoints' way to the providers: one httpx client, its errors translated once, here."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from types import TracebackType

import httpx
import orjson

from .errors import ProviderError
from .native.provider import Call

#: Seconds for a connection; a provider that is up answers a SYN in milliseconds.
CONNECT = 10.0
#: More than people at a playground start at once, fewer than would hurt; beyond it calls wait `CONNECT` seconds.
CONNECTIONS = 1000


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class Upstream:
    """Open while the backend runs. `silence` is how many seconds a provider may send nothing."""

    def __init__(self, tls: ssl.SSLContext, silence: float) -> None:
        self._silence = silence
        self._client = httpx.AsyncClient(
            verify=tls,
            timeout=httpx.Timeout(silence, connect=CONNECT, pool=CONNECT),
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=20),
        )

    async def __aenter__(self) -> Upstream:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def send(self, call: Call) -> Reply:
        """The whole answer to `call`, whatever its status. Cancelling it closes the connection.

        Raises:
            ProviderError: no whole answer came. Its text names neither address nor key.
        """
        content = None if call.body is None else orjson.dumps(call.body)
        try:
            response = await self._client.request(call.method, call.url, headers=dict(call.headers), content=content)
        except httpx.TimeoutException as error:
            raise ProviderError(_late(error, self._silence), "timeout", 504) from None
        except httpx.ConnectError as error:
            raise ProviderError(f"the provider can't be reached: {error}", "connection") from None
        except (httpx.RequestError, httpx.InvalidURL) as error:
            what = str(error) or type(error).__name__
            raise ProviderError(f"the provider broke off before its answer was whole: {what}", "connection") from None
        return Reply(response.status_code, response.content)


def _late(error: httpx.TimeoutException, silence: float) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return f"the provider didn't accept a connection within {CONNECT:g} s"
    if isinstance(error, httpx.PoolTimeout):
        return f"{CONNECTIONS} calls to providers are under way already; try again later"
    return f"the provider sent nothing for {silence:g} s"
