"""JSON as a JavaScript client sees it, and what differs between two such trees.

Every subtree gets a number, equal subtrees the same one (hash consing), so that a walk goes only where something
differs, and a moved item or a set is seen without comparing everything with everything: time is linear in the bodies,
but for pairing the few items of a set that have no equal.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from .difference import Found, Kind
from .paths import Mark, State, below
from .rules import Book
from .values import classify, shown, time_shape

#: Deeper trees are compared as text; browsers take more, products don't send it.
MAX_DEPTH = 100
#: So many items of a set without an equal are paired by likeness, more of them in order.
_PAIRED = 32


class NotJsonError(ValueError):
    """Text that a JavaScript client couldn't parse, or that is nested too deep for us."""


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")  # Python would take NaN


_DECODER = json.JSONDecoder(parse_int=float, parse_constant=_refuse)


def read(body: bytes) -> Any:
    """A body as fetch's json() reads it: UTF-8 whatever the charset says, numbers doubles, the last of equal keys.

    Raises:
        NotJsonError: see there.
    """
    try:
        return _DECODER.decode(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        raise NotJsonError(str(error)) from None


class Node:
    """A JSON value with its number; `children` are there for objects and lists whose inside is compared."""

    __slots__ = ("children", "number", "state", "value")

    def __init__(self, number: int, value: Any, state: State, children: dict[str, Node] | list[Node] | None) -> None:
        self.number = number
        self.value = value
        self.state = state
        self.children = children


class _Numbering:
    """Gives equal subtrees equal numbers, over both trees of a comparison."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._numbers: dict[Any, int] = {}

    def node(self, value: Any, state: State, depth: int = 0) -> Node:
        if depth > MAX_DEPTH:
            raise NotJsonError(f"nested deeper than {MAX_DEPTH}")
        treat = self._book.treat(state)
        key: Any
        children: dict[str, Node] | list[Node] | None = None
        if treat in ("ignore", "type"):
            key = (treat, *(_type(value) if treat == "type" else ()))
        elif isinstance(value, dict):
            children = {}
            for name, inner in value.items():
                below_it = state.step(name)
                if self._book.treat(below_it) != "ignore":
                    children[name] = self.node(inner, below_it, depth + 1)
            key = ("object", frozenset((name, child.number) for name, child in children.items()))
        elif isinstance(value, list):
            inside = state.step(Mark.INDEX)
            children = [self.node(inner, inside, depth + 1) for inner in value]
            numbers: Iterable[int] = (child.number for child in children)
            key = ("list", tuple(sorted(numbers) if treat == "set" else numbers))
        else:
            key = (type(value), value)
        return Node(self._numbers.setdefault(key, len(self._numbers)), value, state, children)


def compare(stable: Any, canary: Any, book: Book, found: Found) -> None:
    """Add what differs between two trees from `read`.

    Raises:
        NotJsonError: one of them is nested deeper than `MAX_DEPTH`.
    """
    numbering, root = _Numbering(book), book.root("$")
    if book.treat(root) != "ignore":
        _Walk(book, found).pair("$", "$", numbering.node(stable, root), numbering.node(canary, root))


class _Walk:
    def __init__(self, book: Book, found: Found) -> None:
        self._book = book
        self._found = found

    def pair(self, path: str, name: str, stable: Node, canary: Node) -> None:
        """Two values at one place; `name` is the key they are under."""
        if stable.number == canary.number:
            return
        if isinstance(stable.children, dict) and isinstance(canary.children, dict):
            self._objects(path, stable.children, canary.children)
        elif isinstance(stable.children, list) and isinstance(canary.children, list):
            self._lists(path, name, stable, canary)
        else:
            kind = classify(stable.value, canary.value)
            if self._book.treat(stable.state) == "type" and kind is Kind.VALUE:
                kind = Kind.TIME_FORMAT  # the type of two texts differs only so; see _type
            if not self._found.again(path, kind):
                self._add(path, kind, stable.state, shown(name, stable.value), shown(name, canary.value))

    def _objects(self, path: str, stable: dict[str, Node], canary: dict[str, Node]) -> None:
        for name in stable | canary:
            ours, theirs = stable.get(name), canary.get(name)
            place = below(path, name)
            if ours is not None and theirs is not None:
                self.pair(place, name, ours, theirs)
            elif ours is not None:
                self._add(place, Kind.MISSING, ours.state, shown(name, ours.value), "")
            elif theirs is not None:
                self._add(place, Kind.EXTRA, theirs.state, "", shown(name, theirs.value))

    def _lists(self, path: str, name: str, stable: Node, canary: Node) -> None:
        ours, theirs = stable.children, canary.children
        assert isinstance(ours, list)
        assert isinstance(theirs, list)
        if len(ours) != len(theirs):
            self._add(path, Kind.LENGTH, stable.state, f"{len(ours)} items", f"{len(theirs)} items")
        if self._book.treat(stable.state) == "set":
            ours, theirs = _without_equals(ours, theirs)
        elif len(ours) != len(theirs):
            ours, theirs = _without_ends(ours, theirs)
        elif Counter(_numbers(ours)) == Counter(_numbers(theirs)):
            self._add(path, Kind.ORDER, stable.state, f"{len(ours)} items", "the same in another order")
            return
        for one, other in zip(ours, theirs, strict=False):
            self.pair(path + Mark.INDEX.value, name, one, other)

    def _add(self, path: str, kind: Kind, state: State, stable: str, canary: str) -> None:
        self._found.add(path, kind, self._book.action(state, kind), stable, canary)


def _type(value: Any) -> tuple[Any, ...]:
    """What rule `type` compares: the JSON type, and of a time how it is written."""
    return (type(value), time_shape(value) if isinstance(value, str) else None)


def _numbers(nodes: Iterable[Node]) -> Iterable[int]:
    return (node.number for node in nodes)


def _without_ends(stable: list[Node], canary: list[Node]) -> tuple[list[Node], list[Node]]:
    """Without the equal items at both ends: one that was put in or left out isn't a change of all that follow."""
    shorter = min(len(stable), len(canary))
    start = 0
    while start < shorter and stable[start].number == canary[start].number:
        start += 1
    end = 0
    while end < shorter - start and stable[-1 - end].number == canary[-1 - end].number:
        end += 1
    return stable[start : len(stable) - end], canary[start : len(canary) - end]


def _without_equals(stable: list[Node], canary: list[Node]) -> tuple[list[Node], list[Node]]:
    """What of two sets has no equal in the other, likely pairs at the same position."""
    both = Counter(_numbers(stable)) & Counter(_numbers(canary))
    ours, theirs = _left(stable, both), _left(canary, both)
    if len(ours) <= _PAIRED and len(theirs) <= _PAIRED and len(theirs) > 1:
        free = list(theirs)
        theirs = []
        for node in ours[: len(free)]:
            best = max(free, key=lambda other: _likeness(node, other))
            free.remove(best)
            theirs.append(best)
    return ours, theirs


def _left(nodes: list[Node], equals: Counter[int]) -> list[Node]:
    taken = equals.copy()
    left = []
    for node in nodes:
        if taken[node.number] > 0:
            taken[node.number] -= 1
        else:
            left.append(node)
    return left


def _likeness(one: Node, other: Node) -> int:
    """How many fields two objects share."""
    if not isinstance(one.children, dict) or not isinstance(other.children, dict):
        return 0
    return sum(
        name in other.children and child.number == other.children[name].number for name, child in one.children.items()
    )
