"""Gemini's generateContent, as contract/llm_upstream.json records what goes out and http.json what comes back.

Its key stands in the query, as the Go backend sends it; whatever shows an address must leave the query out.
"""

from __future__ import annotations

from urllib.parse import quote

from ...web.gotypes import ANY, BOOL, FLOAT, INT, STRING, Map, Pointer, Slice, Struct
from .provider import Call, Fields, Model, Provider, set_only, without_empty

_PART = Struct("gemini.GeminiPart", {"text": STRING})
_CONTENT = Struct("gemini.GeminiContent", {"role": STRING, "parts": Slice(_PART)})
_THINKING = Struct("gemini.GeminiThinkingConfig", {"thinkingBudget": Pointer(INT), "includeThoughts": Pointer(BOOL)})
_CONFIG = Struct(
    "gemini.GeminiGenerationConfig",
    {
        "temperature": Pointer(FLOAT),
        "topP": Pointer(FLOAT),
        "topK": Pointer(INT),
        "maxOutputTokens": Pointer(INT),
        "stopSequences": Slice(STRING),
        "responseMimeType": STRING,
        "response_json_schema": Map(ANY),
        "thinkingConfig": Pointer(_THINKING),
    },
)
_SYSTEM = Struct("gemini.GeminiSystemInstruction", {"parts": Slice(_PART)})
_REQUEST = Struct(
    "gemini.GeminiRequest",
    {
        "model": STRING,
        "contents": Slice(_CONTENT),
        "generationConfig": Pointer(_CONFIG),
        "system_instruction": Pointer(_SYSTEM),
    },
)
_CANDIDATE = Struct("gemini.GeminiCandidate", {"content": _CONTENT, "finishReason": STRING, "index": INT})
_USAGE = Struct(
    "gemini.GeminiUsageMetadata", {"promptTokenCount": INT, "candidatesTokenCount": INT, "totalTokenCount": INT}
)
_RESPONSE = Struct("gemini.GeminiResponse", {"candidates": Slice(_CANDIDATE), "usageMetadata": Pointer(_USAGE)})
_LISTED = Struct(
    "",
    {
        "name": STRING,
        "displayName": STRING,
        "description": STRING,
        "inputTokenLimit": INT,
        "outputTokenLimit": INT,
        "supportedGenerationMethods": Slice(STRING),
    },
)
_LISTING = Struct("", {"models": Slice(_LISTED)})


def _call(request: Fields, base: str, key: str) -> Call:
    body: Fields = {"contents": [without_empty(content, "role") for content in request["contents"]]}
    if (config := request["generationConfig"]) is not None:
        body["generationConfig"] = _config(config)
    body |= set_only(request, "system_instruction")
    # Quoted, so that no name can end the path and put the key elsewhere.
    url = f"{base}/v1beta/models/{quote(request['model'], safe='/')}:generateContent?key={quote(key, safe='')}"
    return Call("POST", url, {"Content-Type": "application/json"}, body)


def _config(given: Fields) -> Fields:
    config = set_only(given, *_CONFIG.fields)
    if config.get("thinkingConfig") is not None:
        config["thinkingConfig"] = set_only(config["thinkingConfig"], *_THINKING.fields)
    return without_empty(config, "stopSequences", "responseMimeType", "response_json_schema")


def _answer(response: Fields) -> Fields:
    candidates = response["candidates"]
    if candidates is not None:
        candidates = [
            without_empty(each | {"content": without_empty(each["content"], "role")}, "finishReason")
            for each in candidates
        ]
    return without_empty(response | {"candidates": candidates}, "usageMetadata")


def _usage(response: Fields) -> tuple[int, int]:
    usage = response["usageMetadata"] or {"promptTokenCount": 0, "candidatesTokenCount": 0}
    return usage["promptTokenCount"], usage["candidatesTokenCount"]


def _models(listing: Fields) -> list[Model]:
    """Those that can generate."""
    able = (each for each in listing["models"] or () if "generateContent" in (each["supportedGenerationMethods"] or ()))
    return [_model(each) for each in able]


def _model(listed: Fields) -> Model:
    name = listed["name"]
    model = {
        "id": name[len("models/") :] if name.startswith("models/") and name != "models/" else name,
        "name": listed["displayName"],
        "provider": "gemini",
        "description": listed["description"],
        "contextWindow": listed["inputTokenLimit"],
        "maxOutputTokens": listed["outputTokenLimit"],
    }
    return without_empty(model, "description", "contextWindow", "maxOutputTokens")


GEMINI = Provider(
    name="gemini",
    title="Gemini",
    otel="gcp.gemini",
    variable="GEMINI_API_KEY",
    request=_REQUEST,
    required=(("model", "model is required"), ("contents", "contents are required")),
    response=_RESPONSE,
    listing=_LISTING,
    refused=None,
    call=_call,
    answer=_answer,
    usage=_usage,
    list_call=lambda base, key: Call("GET", f"{base}/v1beta/models?key={quote(key, safe='')}", {}),
    models=_models,
)
