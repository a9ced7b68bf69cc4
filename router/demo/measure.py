"""Pure: what the answers of a step say about shares, speed, failures and users who switched sides.

Times are seconds on any one clock, passed in. An answer is *settled* when all of it lies within one weight: sent
after the change and its grace, answered before the next change is asked for. Only settled answers are judged for
shares, switches and speed, so that none is held against a weight it may not have been routed by; every answer
counts for failures.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .sides import Answer, Change, Seen, Switches, follow

ARMS = ("stable", "canary")

#: From the admin API's answer to the last newly routed request of the old weight (router.md).
GRACE_SECONDS = 0.05

#: 4 σ: a run that judges ten shares fails by chance less than once in 1,500.
SIGMAS = 4.0


@dataclass(frozen=True, slots=True)
class Share:
    """Canary's share that was observed, and how far from the intended one chance may carry it; both 0..1."""

    observed: float
    tolerance: float

    def holds(self, intended: float) -> bool:
        # The last ulp of a sum is not a difference.
        return abs(self.observed - intended) <= self.tolerance + 1e-9


@dataclass(frozen=True, slots=True)
class Speed:
    """Settled requests of one arm, their latency quantiles in seconds (None without any), and all that failed."""

    requests: int
    failed: int
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Step:
    """Everything the screen shows of one weight."""

    percent: float
    seconds: float
    users: int
    user_share: Share
    request_share: Share
    speed: dict[str, Speed]
    switches: Switches
    failures: Counter[str]
    requests: int

    @property
    def rps(self) -> float:
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def failed(self) -> int:
        return self.failures.total()

    def problems(self) -> list[str]:
        """What did not hold, one sentence each; empty when all did."""
        at, found = f"at {self.percent:g} %: ", []
        intended = self.percent / 100
        for what, share in (("users", self.user_share), ("requests", self.request_share)):
            if not share.holds(intended):
                found.append(
                    f"{at}{share.observed:.1%} of the {what} were on canary, "
                    f"outside {intended:.1%} ± {share.tolerance:.1%}"
                )
        for failure, count in self.failures.most_common():
            found.append(f"{at}{count} requests failed: {failure}")
        if self.switches.wrong:
            found.append(f"{at}{len(self.switches.wrong)} users switched sides without reason")
        if self.users == 0:
            found.append(f"{at}no user got an answer")
        return found


@dataclass(frozen=True, slots=True)
class Rollback:
    """The rollout at the end: `seconds` from the fault to weight 0, the explanation in lines, and what users saw."""

    seconds: float
    words: list[str]
    requests: int
    failed: int

    def problems(self) -> list[str]:
        return [f"{self.failed} of {self.requests:,} requests failed around the rollback"] if self.failed else []


@dataclass(frozen=True, slots=True)
class Outcome:
    """The whole run; answers an arm as the users count them and as the router does."""

    steps: list[Step]
    seen: Mapping[str, int]
    counted: Mapping[str, int]
    rollback: Rollback | None = None

    def problems(self) -> list[str]:
        found = self.rollback.problems() if self.rollback else []
        return (
            found
            + [problem for step in self.steps for problem in step.problems()]
            + [
                f"users got {self.seen[arm]:,} answers from {arm}, but the router counted {self.counted[arm]:,}"
                for arm in ARMS
                if self.seen[arm] != self.counted[arm]
            ]
        )


def count(answers: Iterable[Answer]) -> dict[str, int]:
    """Answers an arm, good or not; the ones that never came are nobody's."""
    arms = Counter(answer.arm for answer in answers if answer.status)
    return {arm: arms[arm] for arm in ARMS}


def measure(
    change: Change, until: float, answers: Sequence[Answer], before: Mapping[int, Seen]
) -> tuple[Step, dict[int, Seen]]:
    """The step from `change` to `until`, and where users are after it; `before` is where they were."""
    settled = [a for a in answers if a.sent >= change.done + GRACE_SECONDS and a.answered <= until]
    good = [answer for answer in settled if not answer.failure]
    switches, after = follow(good, change.percent, before)
    failures = [answer for answer in answers if answer.failure]
    per_user = Counter(answer.user for answer in good)
    on_canary = sum(answer.arm == "canary" for answer in good)
    step = Step(
        percent=change.percent,
        seconds=until - change.asked,
        users=len(per_user),
        user_share=share(
            sum(after[user].arm == "canary" for user in per_user), [1] * len(per_user), change.percent / 100
        ),
        request_share=share(on_canary, per_user.values(), change.percent / 100),
        speed={arm: speed(arm, settled, failures) for arm in ARMS},
        switches=switches,
        failures=Counter(f"{answer.failure}, from {answer.arm or 'nobody'}" for answer in failures),
        requests=len(answers),
    )
    return step, after


def share(on_canary: int, per_user: Iterable[int], intended: float) -> Share:
    """The observed share and its tolerance, when each user draws an arm once and then makes `n` requests.

    A share of requests is that of a sum of ``n``-sized clusters: variance p(1-p)·Σn² / (Σn)². With one request a
    user it is the binomial's p(1-p)/users. At 0 and 100 % there is no chance, and no tolerance.
    """
    counts = list(per_user)
    total = sum(counts)
    if total == 0:
        return Share(0.0, 1.0)
    spread = math.sqrt(intended * (1 - intended) * sum(count * count for count in counts)) / total
    return Share(on_canary / total, SIGMAS * spread)


def speed(arm: str, settled: Iterable[Answer], failures: Iterable[Answer]) -> Speed:
    taken = sorted(answer.answered - answer.sent for answer in settled if answer.arm == arm)
    return Speed(
        requests=len(taken),
        failed=sum(answer.arm == arm for answer in failures),
        p50=percentile(taken, 0.50),
        p95=percentile(taken, 0.95),
        p99=percentile(taken, 0.99),
    )


def percentile(ordered: Sequence[float], q: float) -> float | None:
    """Nearest rank: the smallest value that a share `q` of them does not exceed; None of nothing."""
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)] if ordered else None
