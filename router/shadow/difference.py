"""What was found between two answers: places, classes, and how serious each is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """The class of a difference; seen from stable, so that `missing` is missing from the canary's answer."""

    MISSING = "missing"
    EXTRA = "extra"
    TYPE = "type"
    VALUE = "value"
    ORDER = "order"
    LENGTH = "length"
    NULL_VS_EMPTY = "null-vs-empty"
    NUMBER_FORMAT = "number-format"
    TIME_FORMAT = "time-format"
    ENCODING = "encoding"


class Action(StrEnum):
    """What a difference does to a verdict; the most serious last."""

    ALLOW = "allow"
    WARN = "warn"
    BLOCK = "block"


#: Places that one pair of answers may have: a map with other keys on each side mustn't fill reports and memory.
MAX_PLACES = 200
#: Stands for the places beyond them.
MORE = "(more)"


class Place(NamedTuple):
    """What the noise floor and the confirmation count by: a generalised path and a class."""

    path: str
    kind: Kind


@dataclass(slots=True)
class Difference:
    """All differences of one class at one place; the examples are those of the first, redacted and short."""

    place: Place
    action: Action
    stable: str
    canary: str
    count: int = 1


class Found:
    """Collects the differences of one pair of answers, one entry a place."""

    __slots__ = ("_by_place",)

    def __init__(self) -> None:
        self._by_place: dict[Place, Difference] = {}

    def add(self, path: str, kind: Kind, action: Action, stable: str, canary: str) -> None:
        """Note a difference; what is beyond `MAX_PLACES` joins one entry a class, as serious as the worst in it."""
        if self.again(path, kind):
            return
        if len(self._by_place) >= MAX_PLACES:
            more = self._by_place.get(Place(MORE, kind))
            if more is not None:
                more.count += 1
                more.action = max(more.action, action, key=list(Action).index)
                return
            path = MORE
        place = Place(path, kind)
        self._by_place[place] = Difference(place, action, stable, canary)

    def again(self, path: str, kind: Kind) -> bool:
        """Count one more at a place that is known, without the cost of an example; False if it is new."""
        known = self._by_place.get(Place(path, kind))
        if known is not None:
            known.count += 1
        return known is not None

    def __iter__(self) -> Iterator[Difference]:
        return iter(self._by_place.values())
