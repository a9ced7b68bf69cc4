"""`POST /llm/generate` on the wire: OpenAI's chat completion, read and checked, and written for any provider. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from .native.provider import Fields


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Literal["text"]
    text: str


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[_Part]


class JsonSchema(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: str | None = None
    schema_: dict[str, JsonValue] = Field(alias="schema")
    strict: bool | None = None


class TextFormat(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Literal["text", "json_object"]


class SchemaFormat(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Literal["json_schema"]
    json_schema: JsonSchema


class Chat(BaseModel):
    """A request. Fields of OpenAI's API that aren't here are refused: dropping them would change what was meant."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: str = Field(min_length=1, max_length=256, pattern=r"^[^\s\x00-\x1f]+$")
    provider: str | None = Field(None, pattern=r"^[a-z0-9_]{1,64}$")
    messages: list[Message] = Field(min_length=1)
    temperature: float | None = Field(None, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    top_p: float | None = Field(None, ge=0, le=1)
    stop: str | list[str] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    response_format: Annotated[TextFormat | SchemaFormat, Field(discriminator="type")] | None = None
    stream: bool = False
    # OpenAI's clients send these; usage is streamed anyway, and who asked is known by the session.
    stream_options: dict[str, JsonValue] | None = None
    user: str | None = None

    def parameters(self) -> Fields:
        """What goes on to the provider, but the model."""
        names = {"model", "provider", "stream", "stream_options", "user"}
        return self.model_dump(by_alias=True, exclude=names, exclude_none=True)


def read(body: bytes) -> Chat:
    """The request in a body.

    Raises:
        ValueError: it isn't one; the text names each wrong field.
    """
    try:
        return Chat.model_validate_json(body)
    except ValidationError as error:
        raise ValueError("; ".join(_explain(problem) for problem in error.errors(include_url=False))) from None


def _explain(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{place}: isn't supported here"
    return f"{place}: {problem['msg']}" if place else problem["msg"]


def completion(response: Fields, cost: float | None) -> Fields:
    """A whole answer, out of one in OpenAI's shape that may hold more."""
    return {
        "id": response["id"],
        "object": "chat.completion",
        "created": response["created"],
        "model": response["model"],
        "choices": [
            {
                "index": choice["index"],
                "message": {"role": "assistant", **_said(choice["message"], content=None)},
                "finish_reason": choice["finish_reason"],
            }
            for choice in response["choices"]
        ],
        "usage": usage(response["usage"], cost),
    }


def chunk(response: Fields, first: Fields | None) -> Fields:
    """A piece of a streamed answer, without its usage; `first` is the first piece, whose id all of them get."""
    return {
        **_chunk_head(response, first),
        "choices": [
            {
                "index": choice["index"],
                "delta": _role(choice["delta"]) | _said(choice["delta"]),
                "finish_reason": choice.get("finish_reason"),
            }
            for choice in response["choices"]
        ],
    }


def last_chunk(response: Fields, first: Fields | None, cost: float | None) -> Fields:
    """The piece at the end that holds the usage and no choice."""
    return {**_chunk_head(response, first), "choices": [], "usage": usage(response["usage"], cost)}


def usage(given: Fields, cost: float | None) -> Fields:
    """Tokens, and what they cost in US dollars (None: the price isn't known)."""
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    details = given.get("completion_tokens_details") or {}
    found = {name: given[name] for name in names}
    if reasoning := details.get("reasoning_tokens"):
        found["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return found | {"cost": cost}


def error(text: str, status: int, kind: str) -> Fields:
    """An error as OpenAI's clients read one."""
    return {"error": {"message": text, "type": kind, "param": None, "code": status}}


def _chunk_head(response: Fields, first: Fields | None) -> Fields:
    base = first or response
    head = {name: base[name] for name in ("id", "created", "model")}
    return head | {"object": "chat.completion.chunk"}


def _role(delta: Fields) -> Fields:
    return {"role": delta["role"]} if delta.get("role") else {}


def _said(message: Fields, **default: object) -> Fields:
    """The text of a message or delta, and the thoughts that came with it."""
    said: Fields = dict(default)
    for name in ("content", "reasoning_content"):
        if message.get(name) is not None:
            said[name] = message[name]
    return said
