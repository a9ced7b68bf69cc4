"""TLS on the listener and towards upstreams: the same wire, plus what https changes (Secure, X-Forwarded-Proto)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.conformance import steps
from tests.conformance.case import check_error
from tests.conformance.client import Client
from tests.conformance.router import running_router
from tests.conformance.upstream import Upstream

GET = b"GET /p HTTP/1.1\r\nHost: h\r\n\r\n"


@dataclass(frozen=True)
class Secured:
    """Files and contexts of one throw-away authority."""

    cert: Path
    key: Path
    authority: Path
    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Secured:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    cert, key, root = folder / "cert.pem", folder / "key.pem", folder / "ca.pem"
    leaf.private_key_pem.write_to_path(str(key))
    for number, part in enumerate(leaf.cert_chain_pems):
        part.write_to_path(str(cert), append=number > 0)
    authority.cert_pem.write_to_path(str(root))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(server)
    client = ssl.create_default_context(cafile=str(root))
    return Secured(cert, key, root, server, client)


@pytest.fixture(scope="module")
def behind_tls(secured: Secured) -> Iterator[Upstream]:
    upstream = Upstream(secured.server)
    yield upstream
    upstream.shut()


@pytest.mark.slow
def test_listener(tmp_path: Path, stable: Upstream, canary: Upstream, secured: Secured) -> None:
    stable.play([steps.serve(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300000)])
    settings = f'[tls]\ncert = "{secured.cert}"\nkey = "{secured.key}"\n'
    with running_router(tmp_path, stable, canary, settings) as router:
        with Client(router.port, tls=secured.client) as client:
            client.send(GET + GET)
            first, second = client.answer(), client.answer()
            assert (first.status, len(first.body), second.status) == (200, 300000, 200)
            cookie = first.value(b"set-cookie") or b""
            assert b"Secure" in [part.strip() for part in cookie.split(b";")]
            client.send(b"GET / HTTP/1.1\r\n\r\n")
            assert client.answer().status == 400
            assert client.rest() == b""
        stable.finish()
        (seen, _) = stable.requests()
        assert seen.value(b"x-forwarded-proto") == b"https"
        assert b"proto=https" in (seen.value(b"forwarded") or b"")
        with Client(router.port) as plain:
            plain.send(GET)
            assert b" 200 " not in plain.rest()


@pytest.mark.slow
@pytest.mark.parametrize("trusted", [True, False])
def test_upstream(tmp_path: Path, canary: Upstream, behind_tls: Upstream, secured: Secured, trusted: bool) -> None:
    """Verification is on: without the authority that signed it, the upstream isn't talked to."""
    behind_tls.play([steps.serve()])
    settings = f'[tls]\nupstream_ca = "{secured.authority}"\n' if trusted else ""
    with running_router(tmp_path, behind_tls, canary, settings) as router, router.connect() as client:
        client.send(GET + GET)
        answers = [client.answer(), client.answer()]
    if trusted:
        assert [answer.body for answer in answers] == [b"ok", b"ok"]
        assert len(behind_tls.connections) == 1
    else:
        assert [answer.status for answer in answers] == [502, 502]
        check_error(answers[0])
        assert behind_tls.requests() == []
