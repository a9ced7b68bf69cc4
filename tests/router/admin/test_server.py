"""The app on a real socket: it answers, leaves signals alone, stops, and says what is wrong with an address."""

from __future__ import annotations

import signal
import socket

import httpx
import pytest
from starlette.applications import Starlette

from router.admin.server import serve_admin
from router.errors import ConfigError


async def test_it_serves_and_stops(app: Starlette) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    server = await serve_admin(app, "127.0.0.1", 0)
    assert signal.getsignal(signal.SIGTERM) is handler
    url = f"http://127.0.0.1:{server.address[1]}"
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/healthz")
        assert (answer.status_code, answer.http_version) == (200, "HTTP/1.1")
        assert "server" not in answer.headers
    await server.stop()
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{url}/healthz")


async def test_it_serves_a_socket_that_listens_already(app: Starlette) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    server = await serve_admin(app, "ignored", 0, listener)
    assert server.address == listener.getsockname()
    await server.stop()


@pytest.mark.parametrize(
    ("host", "said"), [("127.0.0.1", "is in use by another program"), ("192.0.2.1", "give --admin an address of this")]
)
async def test_an_address_that_cannot_be_listened_on_is_named(app: Starlette, host: str, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=said) as caught:
            await serve_admin(app, host, port)
    assert f"--admin {host}:{port}" in str(caught.value)
