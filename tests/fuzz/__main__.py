"""`python -m tests.fuzz`: fuzz a real router for a time; exit code 1 with the failing cases when there are any."""

from __future__ import annotations

import argparse
import sys
from random import SystemRandom

from tests.fuzz.campaign import attempt, case_of, fuzzed_router, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="how long (default 120)")
    parser.add_argument("--seed", type=int, help="repeats a run (default: a new one, printed)")
    parser.add_argument("--case", type=int, help="runs this case of the seed alone")
    options = parser.parse_args()
    seed = SystemRandom().randrange(2**32) if options.seed is None else options.seed
    if options.case is not None:
        case = case_of(seed, options.case)
        print(case)
        with fuzzed_router() as (lane, _):
            print(attempt(lane, case))
        return 0
    print(f"seed {seed}, {options.seconds:g} s", flush=True)
    report = run(seed, sys.maxsize, options.seconds)
    print(report)
    return 1 if report.findings or report.problems else 0


sys.exit(main())
