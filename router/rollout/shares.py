"""The gates that watch a share of bad trials: their tests, kept up interval by interval, and what they say.

One `ShareTest` a gate, whatever counts as bad. Its state is plain numbers, so that it is saved with the rollout and a
decision can be replayed from it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from .evidence import Verdict
from .plan import Step
from .sequential import Absolute, Mixture, Relative, lower, upper

#: An interval of the relative test ends when it has this many trials and both arms have theirs; its end depends on how
#: many trials there were, never on how they went.
RELATIVE_TRIALS, RELATIVE_MIN = 100, 5
#: Requests of the canary that "the last" of them are, or up to twice as many.
RECENT = 20
#: Distance to stable that still promotes, for gates that have neither a margin nor a limit.
MARGIN = 0.02


@dataclass(slots=True)
class Tally:
    """Trials and bad ones of both arms."""

    canary: int = 0
    canary_bad: int = 0
    stable: int = 0
    stable_bad: int = 0

    def add(self, other: Tally) -> None:
        self.canary += other.canary
        self.canary_bad += other.canary_bad
        self.stable += other.stable
        self.stable_bad += other.stable_bad


@dataclass(slots=True)
class ShareState:
    """What a share gate remembers: its mixtures, this step's tally, the relative test's open interval.

    `last` and `newest` are the latest requests: one full window, and the one that is filling.
    """

    absolute: Mixture | None = None
    relative: Mixture | None = None
    step: Tally = field(default_factory=Tally)
    open: Tally = field(default_factory=Tally)
    last: Tally = field(default_factory=Tally)
    newest: Tally = field(default_factory=Tally)

    def dump(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def load(cls, raw: dict[str, Any]) -> ShareState:
        absolute, relative = (Mixture(**raw[name]) if raw[name] else None for name in ("absolute", "relative"))
        tallies = (Tally(**raw.get(name, {})) for name in ("step", "open", "last", "newest"))
        return cls(absolute, relative, *tallies)


class ShareTest:
    """Tests one share: `bound` on the canary's, `relative` to stable's, or both, with an error budget of `alpha`.

    `what` completes "3 of 200 canary requests ..."; `margin` is how much worse than stable still promotes.
    """

    __slots__ = ("_absolute", "_alpha", "_bound", "_margin", "_relative", "_what", "state", "threshold")

    def __init__(
        self,
        bound: float | None,
        relative: float | None,
        margin: float | None,
        alpha: float,
        steps: int,
        what: str,
        state: ShareState | None = None,
    ) -> None:
        self._bound = bound
        self._alpha = alpha / ((bound is not None) + (relative is not None))
        self._margin = margin or (bound / 2 if bound is not None else MARGIN)
        self._what = what
        if state is None:
            state = ShareState(
                Mixture(steps) if bound is not None else None, Mixture(steps) if relative is not None else None
            )
        self.state = state
        self._absolute = Absolute(bound, state.absolute) if bound is not None and state.absolute else None
        self._relative = Relative(relative, state.relative) if relative is not None and state.relative else None
        #: The e-value that rolls back.
        self.threshold = 1 / self._alpha

    def begin_step(self) -> None:
        """Count anew; an interval of the relative test must not reach over a change of the weight."""
        state = self.state
        state.step, state.open, state.last, state.newest = Tally(), Tally(), Tally(), Tally()
        for mixture in (self.state.absolute, self.state.relative):
            if mixture is not None:
                mixture.begin_step()

    def update(self, tally: Tally) -> None:
        """One more interval."""
        state = self.state
        state.step.add(tally)
        state.newest.add(tally)
        if state.newest.canary >= RECENT:
            state.last, state.newest = state.newest, Tally()
        if self._absolute is not None and tally.canary:
            self._absolute.update(tally.canary, tally.canary_bad)
        state.open.add(tally)
        found = state.open
        if min(found.canary, found.stable) >= RELATIVE_MIN and found.canary + found.stable >= RELATIVE_TRIALS:
            if self._relative is not None:
                self._relative.update(found.canary, found.canary_bad, found.stable, found.stable_bad)
            state.open = Tally()

    @property
    def evidence(self) -> float:
        """The largest e-value of the tests."""
        return float(max(test.mixture.evidence() for test in (self._absolute, self._relative) if test))

    def verdict(self) -> tuple[Verdict, str]:
        """Fail on evidence against the canary, pass when a confidence bound allows to go on, else hold; and why."""
        for test in (self._absolute, self._relative):
            if test is not None and test.mixture.evidence() >= self.threshold:
                return "fail", self._accuse(test)
        if missing := self._missing():
            return "hold", missing
        return "pass", self._counted()

    def _accuse(self, test: Absolute | Relative) -> str:
        odds = f"a healthy canary gets here less than once in {self.threshold:,.0f} rollouts"
        counted = self._lately() + self._counted()
        if isinstance(test, Absolute):
            return f"{counted}; the limit is {_percent(test.bound)}, and {odds}"
        return f"{counted}; the limit is {test.bound:g} times stable's share, and {odds}"

    def _lately(self) -> str:
        """What came last, when the whole step hides it."""
        last, newest, step = self.state.last, self.state.newest, self.state.step
        canary, bad = last.canary + newest.canary, last.canary_bad + newest.canary_bad
        if canary == step.canary or bad * step.canary <= step.canary_bad * canary:
            return ""
        return f"{bad:,} of the last {canary:,} canary requests {self._what} ({_percent(bad / canary)}); in this step "

    def _counted(self) -> str:
        step = self.state.step
        text = f"{step.canary_bad:,} of {step.canary:,} canary requests {self._what}"
        if step.canary:
            text += f" ({_percent(step.canary_bad / step.canary)})"
        if step.stable:
            text += f", stable {_percent(step.stable_bad / step.stable)}"
        return text

    def _missing(self) -> str:
        """What keeps this gate from promoting; empty when nothing does."""
        step = self.state.step
        if not step.canary:
            return "the canary has had no requests in this step"
        highest = upper(step.canary, step.canary_bad, self._alpha)
        if self._bound is not None and highest > self._bound:
            return (
                f"{self._counted()}; that may still be up to {_percent(highest)}, the limit is {_percent(self._bound)}"
            )
        if self._relative is not None and step.stable:
            apart = highest - lower(step.stable, step.stable_bad, self._alpha)
            if apart > self._margin:
                return (
                    f"{self._counted()}; the canary may still be {_percent(apart)} points worse, "
                    f"{_percent(self._margin)} are allowed"
                )
        return ""


def idle(step: Step) -> str:
    """Why a gate on the canary's requests has nothing to judge in `step`; empty when it has."""
    return "" if step.percent else "the canary gets no requests in this step"


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"
