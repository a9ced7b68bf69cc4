"""What one provider is to the rest of the package: how to ask it, and what its answers mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...web.gotypes import Struct

Fields = dict[str, Any]
#: A model as clients list it: id, name, provider, and what else is known of it.
Model = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a provider. `headers` and `url` may hold the key, so neither is ever logged."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: Fields | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's native API.

    Fields are what web/gojson.py reads into `request`, `response` and `listing`; base addresses come without a slash
    at their end.
    """

    #: As in paths and model lists.
    name: str
    #: As in texts for people.
    title: str
    #: gen_ai.provider.name of OpenTelemetry.
    otel: str
    #: The environment variable of its key, named in errors.
    variable: str
    request: Struct
    #: (field, what a client is told) for fields that must not be empty, in the order in which they are looked at.
    required: tuple[tuple[str, str], ...]
    response: Struct
    listing: Struct
    #: Text of an error answer that means the key is refused (then 503); None: no such rule.
    refused: str | None
    #: request, base address, key → what to send
    call: Callable[[Fields, str, str], Call]
    #: response → what the client gets
    answer: Callable[[Fields], Fields]
    #: response → tokens in, tokens out
    usage: Callable[[Fields], tuple[int, int]]
    #: base address, key → what to send for the list of models
    list_call: Callable[[str, str], Call]
    #: listing → models, in the provider's order
    models: Callable[[Fields], list[Model]]


def without_empty(fields: Fields, *names: str) -> Fields:
    """`fields` without those of `names` that are empty, as Go's ``omitempty`` leaves them out."""
    return {name: value for name, value in fields.items() if name not in names or value not in ("", 0, None, [], {})}


def set_only(fields: Fields, *names: str) -> Fields:
    """Those of `names` that were given: pointers in Go, so zero and empty count as given."""
    return {name: fields[name] for name in names if fields[name] is not None}
