"""Which provider a model belongs to, by its name. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import NamedTuple

#: How the names of each native provider's models begin.
_PREFIXES = (
    (("gpt-", "chatgpt-", "o1", "o3", "o4"), "openai"),
    (("claude-",), "anthropic"),
    (("gemini-", "gemma-"), "gemini"),
)


class Target(NamedTuple):
    provider: str
    model: str


def target(
    model: str, provider: str | None, known: Container[str], guess: Callable[[str], str | None]
) -> Target | None:
    """Where `model` goes: `provider` if given, else a known one before its first slash, else by how its name begins,
    else what `guess` says. None: nobody knows."""
    first, slash, rest = model.partition("/")
    if provider is not None:
        if provider not in known:
            return None
        return Target(provider, rest if slash and first == provider else model)
    if slash and first in known:
        return Target(first, rest)
    for prefixes, name in _PREFIXES:
        if model.startswith(prefixes):
            return Target(name, model)
    guessed = guess(model)
    return Target(guessed, model) if guessed is not None else None
