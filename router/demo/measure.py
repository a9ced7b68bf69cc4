"""Pure: what the answers of a step say about shares, speed, failures and users who switched sides.

Times are seconds on any one clock, passed in. The arm of a good answer is the service that gave it, as its body
says. An answer is *settled* when all of it lies within one weight: sent after the change and its grace, answered
before the next change is asked for. Only settled answers are judged for shares, switches and speed, so that none
is held against a weight it may not have been routed by; every answer counts for failures.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

ARMS = ("stable", "canary")

#: From the admin API's answer to the last newly routed request of the old weight (router.md).
GRACE_SECONDS = 0.05

#: 4 σ: a run that judges ten shares fails by chance less than once in 1,500.
SIGMAS = 4.0


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
class Seen:
    """Where a user was last, and the weight at that time."""

    arm: str
    percent: float


@dataclass(frozen=True, slots=True)
class Switches:
    """Users by number: who moved as the weight did, who moved though it gave no reason."""

    moved: frozenset[int]
    wrong: frozenset[int]


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
