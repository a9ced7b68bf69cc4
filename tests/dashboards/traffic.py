"""A little of everything that the products count, so that every panel has something to show."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import grpc
import httpx

from backend.auth.cookie import SessionCookie
from backend.rpc.pb.auth_pb2 import ValidateApiKeyRequest
from backend.rpc.pb.auth_pb2_grpc import InternalAuthServiceStub
from tests.backend.processes import HANG, SECRET
from tests.standins import provider_streams
from tests.standins.providers import Exchange, Providers
from tests.standins.spanlog import append
from tests.standins.spans import Source

#: Models of OpenAI that litellm's price table has: one streamed, one not.
STREAMED, WHOLE = "gpt-4o", "gpt-4o-mini"
#: A model that never answers, on a route that doesn't wait for it.
SILENT = "silent"
ROUTES = """
[[route]]
path = "/otel/*"
name = "spans"
[[route]]
path = "/llm/openai/generate"
name = "impatient"
pin = "stable"
first_byte = "300ms"
"""
_PAUSE = 0.02


def prepare(providers: Providers) -> None:
    """Let the providers answer what `traffic` asks."""

    async def whole(exchange: Exchange) -> None:
        usage = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}
        message = {"role": "assistant", "content": "hello"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        await exchange.answer(200, {"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage})

    async def silent(exchange: Exchange) -> None:
        await exchange.gone.wait()

    providers.scripts.update({WHOLE: whole, SILENT: silent, STREAMED: provider_streams.openai(["a", "b"])})


@contextmanager
def traffic(router: str, stable: str, auth: str, log: Path) -> Iterator[None]:
    """Users at the router, calls to models and new spans, until the block ends; a failure there is raised here.

    `stable` is a backend, `auth` where it validates API keys, `log` what the ingestion service reads.
    """
    over = threading.Event()
    broken: list[BaseException] = []
    rounds = itertools.count()

    def forever(step: Callable[[], None], pause: float) -> None:
        try:
            while not over.wait(pause):
                step()
        except BaseException as error:
            broken.append(error)

    source = Source(bad_every=10).entries()
    session = {"session": SessionCookie(SECRET).seal("ada@example.com", int(time.time())), "csrf": "c" * 32}

    def users() -> None:
        cookies = session | {"cutover_id": f"{next(rounds) % 50:032x}"}
        with httpx.Client(base_url=router, cookies=cookies, timeout=HANG, trust_env=False) as client:
            for path in ("/ping", "/users", "/otel/span-service-names", "/nowhere"):
                client.get(path)

    def models() -> None:
        for url in (router, stable):
            _ask(url, "/llm/openai/generate", WHOLE)
        _ask(stable, "/llm/openai/generate", "unknown")
        _ask(router, "/llm/openai/generate", SILENT)
        httpx.get(f"{stable}/llm/providers/openai/models", cookies=session, timeout=HANG, trust_env=False)

    def streams() -> None:
        answer = _ask(stable, "/llm/generate", STREAMED, stream=True)
        assert answer.status_code == 200, answer.text

    def _ask(url: str, path: str, model: str, **options: object) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **options}
        return httpx.post(url + path, json=body, cookies=session, timeout=HANG, trust_env=False)

    def spans() -> None:
        append(log, list(islice(source, 20)))
        # No Host: a request that ends on the client's side.
        with socket.create_connection(("127.0.0.1", int(router.rpartition(":")[2])), HANG) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            client.recv(1000)
        with grpc.insecure_channel(auth) as channel:
            InternalAuthServiceStub(channel).ValidateApiKey(ValidateApiKeyRequest(api_key="x"), timeout=HANG)

    jobs = ((users, _PAUSE), (models, 0.3), (streams, 0.3), (spans, 0.5))
    threads = [threading.Thread(target=forever, args=job, name=job[0].__name__) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(HANG)
    assert not broken, broken
