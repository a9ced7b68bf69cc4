"""OpenAI's chat completions, as contract/llm_upstream.json records what goes out and http.json what comes back."""

from __future__ import annotations

from datetime import UTC, datetime

from ...web.gotypes import ANY, BOOL, FLOAT, INT, STRING, Map, Pointer, Slice, Struct
from .provider import Call, Fields, Model, Provider, set_only

_MESSAGE = Struct("openai.OpenAIMessage", {"role": STRING, "content": STRING})
_JSON_SCHEMA = Struct("openai.OpenAIJSONSchema", {"name": STRING, "strict": Pointer(BOOL), "schema": Map(ANY)})
_FORMAT = Struct("openai.OpenAIResponseFormat", {"type": STRING, "json_schema": Pointer(_JSON_SCHEMA)})
_REQUEST = Struct(
    "openai.OpenAIRequest",
    {
        "model": STRING,
        "messages": Slice(_MESSAGE),
        "temperature": Pointer(FLOAT),
        "max_tokens": Pointer(INT),
        "max_completion_tokens": Pointer(INT),
        "reasoning_effort": Pointer(STRING),
        "top_p": Pointer(FLOAT),
        "stop": Slice(STRING),
        "response_format": Pointer(_FORMAT),
    },
)
_CHOICE = Struct("openai.OpenAIChoice", {"index": INT, "message": _MESSAGE, "finish_reason": STRING})
_USAGE = Struct("openai.OpenAIUsage", {"prompt_tokens": INT, "completion_tokens": INT, "total_tokens": INT})
_RESPONSE = Struct(
    "openai.OpenAIResponse",
    {"id": STRING, "object": STRING, "created": INT, "model": STRING, "choices": Slice(_CHOICE), "usage": _USAGE},
)
_LISTED = Struct("", {"id": STRING, "created": INT, "owned_by": STRING})
_LISTING = Struct("", {"data": Slice(_LISTED)})
#: Given as they are, when given.
_OPTIONS = ("temperature", "max_tokens", "max_completion_tokens", "reasoning_effort", "top_p")


def _call(request: Fields, base: str, key: str) -> Call:
    body = {"model": request["model"], "messages": request["messages"], **set_only(request, *_OPTIONS)}
    if request["stop"]:
        body["stop"] = request["stop"]
    if (form := _response_format(request["response_format"])) is not None:
        body["response_format"] = form
    return Call("POST", f"{base}/chat/completions", _headers(key) | {"Content-Type": "application/json"}, body)


def _response_format(given: Fields | None) -> Fields | None:
    """None if it wasn't given, or is of a kind (or lacks the schema) that isn't sent on."""
    if given is None:
        return None
    if given["type"] == "json_schema" and given["json_schema"] is not None:
        return {"type": "json_schema", "json_schema": given["json_schema"]}
    return {"type": given["type"]} if given["type"] in ("json_object", "text") else None


def _usage(response: Fields) -> tuple[int, int]:
    return response["usage"]["prompt_tokens"], response["usage"]["completion_tokens"]


def _models(listing: Fields) -> list[Model]:
    """Chat models that aren't fine-tuned ones."""
    return [
        _model(each) for each in listing["data"] or () if each["id"].startswith("gpt-") and ":ft-" not in each["id"]
    ]


def _model(listed: Fields) -> Model:
    model: Model = {"id": listed["id"], "name": listed["id"], "provider": "openai"}
    if listed["created"] > 0:
        model["createdAt"] = datetime.fromtimestamp(listed["created"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return model | {"metadata": {"owned_by": listed["owned_by"]}}


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


OPENAI = Provider(
    name="openai",
    title="OpenAI",
    otel="openai",
    variable="OPENAI_API_KEY",
    request=_REQUEST,
    required=(("model", "model is required"), ("messages", "messages are required")),
    response=_RESPONSE,
    listing=_LISTING,
    refused="api key",
    call=_call,
    answer=lambda response: response,
    usage=_usage,
    list_call=lambda base, key: Call("GET", f"{base}/models", _headers(key)),
    models=_models,
)
