"""Drives both backends with the same cases and judges the answers.

Each read is asked of stable twice: where these two differ is noise. What else differs in the canary's answer is asked
again, of both, after a while, and counts only if it is still there. A case that writes is sent once to each side.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from ..shadow.answer import Answer
from ..shadow.compare import compare
from ..shadow.difference import Action, Difference, Kind, Place
from ..shadow.noise import NoiseFloor
from ..shadow.rules import Book, Rules
from .ask import Backend, NoAnswer
from .cases import Case, captured
from .order import follows_unsent, lacking, ordered

Reply = Answer | NoAnswer
_STATUS = Place("status", Kind.VALUE)


@dataclass(slots=True)
class Result:
    """What came of one case; `stable` and `canary` are statuses or why there is none."""

    case: Case
    stable: str = ""
    canary: str = ""
    differences: Sequence[Difference] = ()
    noise: frozenset[Place] = frozenset()
    #: It differed, and no longer did when asked again.
    passing: bool = False
    skipped: str = ""

    @property
    def verdict(self) -> str:
        if self.skipped:
            return "skipped"
        actions = {difference.action for difference in self.differences}
        if Action.BLOCK in actions:
            return "differs"
        return "warns" if Action.WARN in actions else "same"


@dataclass(slots=True)
class Verification:
    """One run, as reports show it."""

    stable: str
    canary: str
    results: list[Result] = field(default_factory=list)

    def count(self, verdict: str) -> int:
        return sum(result.verdict == verdict for result in self.results)

    @property
    def compared(self) -> int:
        return len(self.results) - self.count("skipped")


class _Check:
    """One case under way."""

    def __init__(self, case: Case, rules: Rules) -> None:
        self.result = Result(case)
        self.book: Book = rules.for_request(case.method, case.path, case.rules())
        self.floor = NoiseFloor()


class Verifier:
    """Sends cases to two backends; `wait` passes the time until differences are asked again."""

    def __init__(self, stable: Backend, canary: Backend, rules: Rules, wait: Callable[[], Awaitable[None]]) -> None:
        self._stable = stable
        self._canary = canary
        self._rules = rules
        self._wait = wait
        self._unsent: set[str] = set()

    async def run(self, cases: Sequence[Case]) -> list[Result]:
        """A result for each case, in the order of `cases`.

        Raises:
            UnreachableError: a side can't be reached.
        """
        order = ordered(cases, self._stable.values)
        results = {
            case.label: Result(case, skipped=order.skipped[case.label]) for case in cases if case.label in order.skipped
        }
        for part in (order.reads, order.rest):
            checks = [_Check(case, self._rules) for case in part]
            for check in checks:
                await self._ask(check)
            again = [check for check in checks if check.result.case.safe and check.result.differences]
            if again:
                await self._wait()
            for check in again:
                await self._confirm(check)
            results |= {check.result.case.label: check.result for check in checks}
        return [results[case.label] for case in cases]

    async def _ask(self, check: _Check) -> None:
        result, case = check.result, check.result.case
        missing = (case.placeholders() - side.values.keys() for side in (self._stable, self._canary))
        why = follows_unsent(case) if case.after in self._unsent else lacking(frozenset().union(*missing))
        if why:
            result.skipped = why
            self._unsent.add(case.label)
            return
        stable, canary = await self._replies(check)
        result.stable, result.canary = _status(stable), _status(canary)
        for side, reply in ((self._stable, stable), (self._canary, canary)):
            if isinstance(reply, Answer):
                side.values |= captured(case, reply)
        if isinstance(stable, NoAnswer) and isinstance(canary, NoAnswer):
            result.skipped = f"neither side answered: {stable.why}"
        else:
            result.differences = self._judge(check, stable, canary)

    async def _confirm(self, check: _Check) -> None:
        """Ask again; only the differences that are still there count, with the newer examples."""
        before = {difference.place for difference in check.result.differences}
        stable, canary = await self._replies(check)
        now = self._judge(check, stable, canary)
        check.result.differences = [difference for difference in now if difference.place in before]
        check.result.passing = not check.result.differences

    async def _replies(self, check: _Check) -> tuple[Reply, Reply]:
        """Stable's and the canary's reply at the same time; a read's second from stable adds to the noise floor."""
        case = check.result.case
        first = await self._stable.ask(case) if case.safe else None
        sides = (self._stable.ask(case), self._canary.ask(case))
        # Both to their end, also when one side can't be reached: no connection is left half made.
        stable, canary = map(_raised, await asyncio.gather(*sides, return_exceptions=True))
        if isinstance(first, Answer) and isinstance(stable, Answer):
            check.floor.add_stable([found.place for found in compare(first, stable, check.book)])
        return stable, canary

    def _judge(self, check: _Check, stable: Reply, canary: Reply) -> list[Difference]:
        wanted = check.result.case.status
        if isinstance(stable, NoAnswer) or isinstance(canary, NoAnswer):
            if isinstance(stable, NoAnswer) and isinstance(canary, NoAnswer):
                return []
            kind = Kind.MISSING if isinstance(canary, NoAnswer) else Kind.EXTRA
            return [Difference(Place("status", kind), Action.BLOCK, _status(stable), _status(canary))]
        found = list(compare(stable, canary, check.book))
        counted = check.floor.add_canary([difference.place for difference in found])
        check.result.noise |= {difference.place for difference in found} - counted
        judged = [difference for difference in found if difference.place in counted]
        if wanted is not None and stable.status != wanted and _STATUS not in counted:
            why = f"{stable.status}, but the case expects {wanted}; is the session good, and are the databases right?"
            judged.append(Difference(_STATUS, Action.BLOCK, why, str(canary.status)))
        return judged


def _raised(outcome: Reply | BaseException) -> Reply:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _status(reply: Reply) -> str:
    return reply.why if isinstance(reply, NoAnswer) else str(reply.status)
