"""Pure: who switched sides, and whether the weight gave a reason.

What is followed here are settled answers only (measure.py). The arm of a good answer is the service that gave it,
as its body says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """One request of one user: `status` 0 is no answer at all, `failure` says why it isn't good, "" when it is."""

    user: int
    sent: float
    answered: float
    status: int
    arm: str
    failure: str


@dataclass(frozen=True, slots=True)
class Change:
    """The admin API was asked for `percent` at `asked` and had answered at `done`."""

    percent: float
    asked: float
    done: float


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a user was last, and the weight at that time."""

    arm: str
    percent: float


@dataclass(frozen=True, slots=True)
class Switches:
    """Users by number: who moved as the weight did, who moved though it gave no reason."""

    moved: frozenset[int]
    wrong: frozenset[int]


def follow(answers: Iterable[Answer], percent: float, before: Mapping[int, Seen]) -> tuple[Switches, dict[int, Seen]]:
    """Who switched. Raising the weight moves users to canary only, lowering it to stable only, else nobody.

    A user is compared with the weight it was last seen under, which may be several steps ago.
    """
    after = dict(before)
    moved: set[int] = set()
    wrong: set[int] = set()
    for answer in answers:
        seen = after.get(answer.user)
        if seen is not None and seen.arm != answer.arm:
            allowed = "canary" if percent > seen.percent else "stable" if percent < seen.percent else None
            (moved if answer.arm == allowed else wrong).add(answer.user)
        after[answer.user] = Seen(answer.arm, percent)
    return Switches(frozenset(moved), frozenset(wrong)), after
