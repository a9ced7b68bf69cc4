"""Thousands of rollouts of a healthy canary at once: how often is one rolled back?

Both arms are the same service (A/A) over 72 h of the default plan: 24 h at 10 %, 48 h at 50 %. Load and error rates
follow a daily rhythm, shared by the arms as they share their databases. The tests are the product's own classes, fed
with arrays in place of numbers.

    python -m tests.router.rollout.simulation --runs 2000 --tick 60
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from math import pi, sin, sqrt

import numpy as np

from router.rollout.gates import Judge
from router.rollout.plan import Plan
from router.rollout.sequential import Absolute, Mixture, Relative

HOUR = 3600.0
#: Hours at each weight.
PLAN = ((24, 0.10), (48, 0.50))
#: What a healthy service does: share of requests that fail, take longer than the limit, are 4xx, are 401.
FAILED, SLOW, REFUSED, SIGNED_OUT = 0.005, 0.02, 0.05, 0.005
#: Share of requests above stable's p95, by definition.
ABOVE = 0.05


@dataclass(frozen=True)
class Result:
    """`wrong` of `runs` rollouts were rolled back."""

    rate: float
    runs: int
    wrong: int

    def __str__(self) -> str:
        low, high = wilson(self.wrong, self.runs)
        share = self.wrong / self.runs
        return f"{self.rate:g} req/s: {share:.2%} of {self.runs} rolled back (95 % interval {low:.2%} to {high:.2%})"


def thresholds() -> dict[str, float]:
    """Threshold of each gate's tests in the default plan."""
    plan = Plan()
    return {reading.gate: reading.threshold for reading in Judge(plan).readings(plan.steps[1]) if reading.threshold}


def healthy(rate: float, runs: int, tick: float, seed: int = 1) -> Result:
    """`runs` rollouts at `rate` requests a second on average, looked at every `tick` seconds."""
    source = np.random.default_rng(seed)
    bounds = thresholds()
    steps = len(Plan().steps) + 1
    tests = [
        ("errors", FAILED, Absolute(0.01, Mixture(steps)), Relative(1.5, Mixture(steps))),
        ("latency", SLOW, Absolute(0.05, Mixture(steps)), None),
        ("latency", ABOVE, None, Relative(1.25, Mixture(steps))),
        ("client_errors", REFUSED, None, Relative(1.5, Mixture(steps))),
        ("session_loss", SIGNED_OUT, None, Relative(1.5, Mixture(steps))),
    ]
    wrong = np.zeros(runs, dtype=bool)
    at = 0.0
    for hours, weight in PLAN:
        end = at + hours * HOUR
        while at < end:
            day = sin(2 * pi * at / (24 * HOUR))
            load = rate * tick * (1 + 0.8 * day)
            canary = 1 + source.poisson(load * weight, runs).astype(float)
            stable = 1 + source.poisson(load * (1 - weight), runs).astype(float)
            for gate, share, absolute, relative in tests:
                now = share * (1 - 0.5 * day)
                canary_bad = source.binomial(canary.astype(int), now).astype(float)
                if absolute is not None:
                    absolute.update(canary, canary_bad)
                    wrong |= absolute.mixture.evidence() >= bounds[gate]
                if relative is not None:
                    stable_bad = source.binomial(stable.astype(int), now).astype(float)
                    relative.update(canary, canary_bad, stable, stable_bad)
                    wrong |= relative.mixture.evidence() >= bounds[gate]
            at += tick
        for _, _, absolute, relative in tests:
            for test in (absolute, relative):
                if test is not None:
                    test.mixture.begin_step()
    return Result(rate, runs, int(wrong.sum()))


def wilson(count: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share."""
    share = count / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, middle - half), min(1.0, middle + half)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.router.rollout.simulation")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--tick", type=float, default=60.0, help="seconds between looks")
    arguments = parser.parse_args()
    for rate in (1.0, 10.0, 100.0):
        print(healthy(rate, arguments.runs, arguments.tick), flush=True)


if __name__ == "__main__":
    main()
