"""Places in an answer, as text and as patterns that rules name them with.

A place is a root (``status``, ``headers``, ``cookies``, ``body``, or ``$`` for JSON) and steps below it: keys, and
``[*]`` for every array index, because a difference in one item of a list is the same finding in the next one.

Patterns (after RFC 9535, JSONPath): ``$.items[*].price``, ``$["odd key"]``, ``.*`` any key or index, ``..id`` the key
at any depth, ``headers.vary``, ``cookies.session.samesite``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from .redact import looks_secret

ROOTS = ("$", "status", "headers", "cookies", "body")

_ROOT = re.compile(r"\$|[a-z]+")
_PART = re.compile(r'(?P<dots>\.\.?)(?:(?P<star>\*)|(?P<name>[^.\[\]*"\s]+))|\[(?:\*|(?P<quoted>"(?:[^"\\]|\\.)*"))\]')
_PLAIN = re.compile(r"[^.\[\]*\"\s]{1,80}")


class Mark(Enum):
    """Steps that aren't one key."""

    INDEX = "[*]"
    #: In patterns: any key or index.
    ANY = "*"
    #: In the matcher: a key that no pattern names.
    OTHER = "other"


Name = str | Mark


class Part(NamedTuple):
    """One step of a pattern; `deep` lets any number of steps come before it."""

    name: Name
    deep: bool


Pattern = tuple[Part, ...]


def parse(text: str) -> Pattern:
    """A pattern's text → its parts, the root first.

    Raises:
        ValueError: it isn't a pattern; the message says from where on.
    """
    root = _ROOT.match(text)
    if root is None or root[0] not in ROOTS:
        raise ValueError(f"{text!r} must begin with one of {', '.join(ROOTS)}")
    parts, at = [Part(root[0], False)], root.end()
    while at < len(text):
        found = _PART.match(text, at)
        if found is None:
            raise ValueError(f'{text!r} is not a path from {text[at:]!r} on; write .key, ["odd key"], [*], .* or ..key')
        name: Name
        if found["star"]:
            name = Mark.ANY
        elif found["quoted"]:
            name = json.loads(found["quoted"])
        else:
            name = found["name"] or Mark.INDEX
        parts.append(Part(name, found["dots"] == ".."))
        at = found.end()
    return tuple(parts)


def below(path: str, name: Name) -> str:
    """The text of the place one step below `path`.

    A key that looks like an id or a token is shown as any key, ``.*``: findings join, and no secret gets into a report.
    """
    if isinstance(name, Mark):
        return path + name.value
    if looks_secret(name):
        return path + ".*"
    if _PLAIN.fullmatch(name):
        return f"{path}.{name}"
    return f"{path}[{json.dumps(name if len(name) <= 80 else name[:79] + '…', ensure_ascii=False)}]"


class State:
    """Where a walk stands in all patterns at once; `accepts` are the numbers of those that match here, in order."""

    __slots__ = ("_matcher", "_next", "accepts", "positions")

    def __init__(self, matcher: Matcher, positions: frozenset[tuple[int, int]]) -> None:
        self._matcher = matcher
        self._next: dict[Name, State] = {}
        self.positions = positions
        self.accepts = tuple(sorted(number for number, at in positions if at == matcher.ends[number]))

    def step(self, name: Name) -> State:
        if isinstance(name, str) and name not in self._matcher.names:
            name = Mark.OTHER
        state = self._next.get(name)
        if state is None:
            state = self._next[name] = self._matcher.after(self, name)
        return state


class Matcher:
    """Many patterns as one automaton, made as it is walked; its size depends on the patterns, not on what is walked."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = patterns
        self.names = {part.name for pattern in patterns for part in pattern}
        self.ends = [len(pattern) for pattern in patterns]
        self._states: dict[frozenset[tuple[int, int]], State] = {}
        self._start = self._state(frozenset((number, 0) for number in range(len(patterns))))

    def root(self, name: str) -> State:
        return self._start.step(name)

    def after(self, state: State, name: Name) -> State:
        positions = set()
        for number, at in state.positions:
            if at == self.ends[number]:
                continue
            part = self._patterns[number][at]
            if part.deep:
                positions.add((number, at))
            if part.name is name or part.name == name or part.name is Mark.ANY:
                positions.add((number, at + 1))
        return self._state(frozenset(positions))

    def _state(self, positions: frozenset[tuple[int, int]]) -> State:
        state = self._states.get(positions)
        if state is None:
            state = self._states[positions] = State(self, positions)
        return state
