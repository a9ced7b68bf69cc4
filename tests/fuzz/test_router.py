"""A bounded run of the fuzzer against a real router; FUZZ_SEED sets its seed, a failure prints it with the case."""

from __future__ import annotations

import os

import pytest

from tests.fuzz.campaign import WARM_UP, run

SEED = int(os.environ.get("FUZZ_SEED", "1"))


@pytest.mark.parametrize(
    ("count", "seconds"), [pytest.param(150, 10, id="short"), pytest.param(6000, 15, id="long", marks=pytest.mark.slow)]
)
def test_no_case_breaks_the_router(count: int, seconds: float) -> None:
    report = run(SEED, count, seconds)
    print(report)
    assert not report.findings, str(report)
    assert not report.problems, str(report)
    assert report.cases == count or report.cases > WARM_UP, f"too slow to say anything: {report}"
