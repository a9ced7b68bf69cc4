"""Anthropic's messages, as contract/llm_upstream.json records what goes out and http.json what comes back."""

from __future__ import annotations

from ...web.gotypes import ANY, BOOL, FLOAT, INT, STRING, Map, Pointer, Slice, Struct
from .provider import Call, Fields, Model, Provider, set_only, without_empty

_MESSAGE = Struct("anthropic.AnthropicMessage", {"role": STRING, "content": STRING})
_THINKING = Struct("anthropic.AnthropicThinking", {"type": STRING, "budget_tokens": INT})
_TOOL = Struct("anthropic.AnthropicTool", {"name": STRING, "description": STRING, "input_schema": Map(ANY)})
_TOOL_CHOICE = Struct("anthropic.AnthropicToolChoice", {"type": STRING, "name": STRING})
_REQUEST = Struct(
    "anthropic.AnthropicRequest",
    {
        "model": STRING,
        "messages": Slice(_MESSAGE),
        "system": STRING,
        "max_tokens": INT,
        "temperature": Pointer(FLOAT),
        "top_p": Pointer(FLOAT),
        "top_k": Pointer(INT),
        "stop_sequences": Slice(STRING),
        "thinking": Pointer(_THINKING),
        # Read, so that a wrong type in them is an error, and never sent.
        "tools": Slice(_TOOL),
        "tool_choice": Pointer(_TOOL_CHOICE),
        "jsonMode": BOOL,
    },
)
_BLOCK = Struct(
    "anthropic.AnthropicContentBlock",
    {"type": STRING, "text": STRING, "id": STRING, "name": STRING, "input": Map(ANY)},
)
_USAGE = Struct("anthropic.AnthropicUsage", {"input_tokens": INT, "output_tokens": INT})
_RESPONSE = Struct(
    "anthropic.AnthropicResponse",
    {
        "id": STRING,
        "type": STRING,
        "role": STRING,
        "content": Slice(_BLOCK),
        "model": STRING,
        "stop_reason": STRING,
        "stop_sequence": STRING,
        "usage": _USAGE,
    },
)
_LISTED = Struct("", {"id": STRING, "display_name": STRING, "created_at": STRING, "type": STRING})
_LISTING = Struct("", {"data": Slice(_LISTED)})

#: Sent when a client gives none; the API wants one.
_MAX_TOKENS = 4096
_VERSION = "2023-06-01"
#: The tool that makes a model without a JSON mode answer in JSON.
_JSON_TOOL = {
    "name": "structured_output",
    "description": "Return data in structured JSON format",
    "input_schema": {
        "type": "object",
        "properties": {"output": {"type": "object", "description": "The structured JSON response"}},
        "required": ["output"],
    },
}


def _call(request: Fields, base: str, key: str) -> Call:
    body = {
        "model": request["model"],
        "messages": request["messages"],
        "max_tokens": request["max_tokens"] or _MAX_TOKENS,
        **set_only(request, "temperature", "top_p", "top_k", "thinking"),
    }
    body |= {name: request[name] for name in ("system", "stop_sequences") if request[name]}
    if request["jsonMode"]:
        body |= {"tools": [_JSON_TOOL], "tool_choice": {"type": "any"}}
    return Call("POST", f"{base}/v1/messages", _headers(key) | {"content-type": "application/json"}, body)


def _answer(response: Fields) -> Fields:
    blocks = response["content"]
    if blocks is not None:
        blocks = [without_empty(block, "text", "id", "name", "input") for block in blocks]
    return without_empty(response, "stop_sequence") | {"content": blocks}


def _usage(response: Fields) -> tuple[int, int]:
    return response["usage"]["input_tokens"], response["usage"]["output_tokens"]


def _models(listing: Fields) -> list[Model]:
    return [_model(each) for each in listing["data"] or () if each["type"] in ("", "model")]


def _model(listed: Fields) -> Model:
    name = listed["display_name"] or listed["id"]
    model = {"id": listed["id"], "name": name, "provider": "anthropic", "createdAt": listed["created_at"]}
    return without_empty(model, "createdAt")


def _headers(key: str) -> dict[str, str]:
    return {"x-api-key": key, "anthropic-version": _VERSION}


ANTHROPIC = Provider(
    name="anthropic",
    title="Anthropic",
    otel="anthropic",
    variable="ANTHROPIC_API_KEY",
    request=_REQUEST,
    required=(("model", "model is required"), ("messages", "messages are required")),
    response=_RESPONSE,
    listing=_LISTING,
    refused="api key",
    call=_call,
    answer=_answer,
    usage=_usage,
    list_call=lambda base, key: Call("GET", f"{base}/v1/models", _headers(key)),
    models=_models,
)
