"""The native endpoints' rules, without a server: what is refused here, and what a provider's failures become."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import respx
from prometheus_client import CollectorRegistry

from backend.config import Settings
from backend.errors import BackendError
from backend.llm.playground import PROVIDERS, Playground, playground

KEY = "sk-of-the-test"
MESSAGES = b'{"model": "m", "messages": [{}], "contents": [{}]}'


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def opened(registry: CollectorRegistry) -> AsyncIterator[Playground]:
    keys = {f"{name.upper()}_API_KEY": KEY for name in PROVIDERS}
    bases = {f"{name.upper()}_BASE_URL": "http://provider/" for name in PROVIDERS}
    async with playground(Settings.model_validate({"JUNJO_SESSION_SECRET": "x"} | keys | bases), registry) as opened:
        yield opened


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize(
    ("answer", "statuses", "text"),
    [
        (httpx.Response(429, text="slow down"), (500, 500, 500), "slow down"),
        (httpx.Response(204), (500, 500, 500), ""),
        (httpx.Response(401, text=f"api key {KEY}"), (503, 503, 500), "api key ***"),
        (httpx.Response(401, text="API key"), (500, 500, 500), "API key"),
        (httpx.Response(500, content=b"\xff"), (500, 500, 500), "\ufffd"),
        (httpx.Response(200, text=""), (500, 500, 500), "unexpected end of JSON input"),
        (httpx.Response(200, text="[]"), (500, 500, 500), "json: cannot unmarshal array into Go value of type"),
        (httpx.ConnectError("refused"), (500, 500, 500), "the provider can't be reached: refused"),
        (httpx.ConnectTimeout(""), (504, 504, 504), "the provider didn't accept a connection within 10 s"),
        (httpx.ReadTimeout(""), (504, 504, 504), "the provider sent nothing for 300 s"),
        (httpx.PoolTimeout(""), (504, 504, 504), "1000 calls to providers are under way"),
        (httpx.ReadError(""), (500, 500, 500), "the provider broke off before its answer was whole: ReadError"),
    ],
)
async def test_failures(
    opened: Playground,
    respx_mock: respx.MockRouter,
    name: str,
    answer: httpx.Response | Exception,
    statuses: tuple[int, int, int],
    text: str,
) -> None:
    respx_mock.post(host="provider").mock(side_effect=[answer])
    with pytest.raises(BackendError) as failed:
        await opened.generate(PROVIDERS[name], "application/json", MESSAGES)
    assert str(failed.value).startswith(text)
    assert failed.value.key == "error"
    assert failed.value.status == dict(zip(PROVIDERS, statuses, strict=True))[name]


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/plain", b"{}", "code=415, message=Unsupported Media Type"),
        ("application/json", b'{"model": "m", "messages": {}}', "code=400, message=Unmarshal type error: "),
        ("", b"", "model is required"),
        ("application/json", b'{"model": "m", "messages": [], "contents": []}', "messages are required"),
    ],
)
async def test_refused_without_asking(
    opened: Playground, respx_mock: respx.MockRouter, content_type: str, body: bytes, text: str
) -> None:
    with pytest.raises(BackendError) as refused:
        await opened.generate(PROVIDERS["openai"], content_type, body)
    assert refused.value.status == 400
    assert str(refused.value).startswith(text)


async def test_calls_are_counted(opened: Playground, registry: CollectorRegistry, respx_mock: respx.MockRouter) -> None:
    usage = {"usage": {"prompt_tokens": 7, "completion_tokens": 3}}
    respx_mock.post("http://provider/chat/completions").mock(return_value=httpx.Response(200, json=usage))
    await opened.generate(PROVIDERS["openai"], "application/json", MESSAGES)
    call = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "openai", "gen_ai_request_model": "m"}
    value = registry.get_sample_value
    assert value("gen_ai_client_token_usage_sum", call | {"gen_ai_token_type": "input"}) == 7
    assert value("gen_ai_client_operation_duration_seconds_count", call | {"error_type": ""}) == 1
