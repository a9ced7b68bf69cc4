"""The table and its plain twin, as text."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from rich.console import Console

from router.demo.measure import Outcome, Share, Speed, Step
from router.demo.screen import Screen, line, summary, table
from router.demo.sides import Switches

FAST = Speed(requests=900, failed=0, p50=0.0009, p95=0.0112, p99=0.022)
COUNTS = {"stable": 6000, "canary": 7}
NONE = Speed(requests=0, failed=0, p50=None, p95=None, p99=None)


def step(percent: float, observed: float, failed: int = 0, wrong: frozenset[int] = frozenset()) -> Step:
    return Step(
        percent=percent,
        seconds=7.0,
        users=320,
        user_share=Share(observed, 0.072),
        request_share=Share(observed, 0.073),
        speed={"stable": FAST, "canary": Speed(90, failed, 0.001, 0.002, 0.003) if percent else NONE},
        switches=Switches(frozenset(range(29)), wrong),
        failures=Counter({"status 502, from canary": failed} if failed else {}),
        requests=3500,
    )


def rendered(width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table([step(0, 0.0), step(10, 0.114, failed=3)], step(100, 1.0)))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_fits_eighty_columns_whole() -> None:
    text = rendered(80)
    assert "…" not in text.replace(" … ", "")  # the running step's mark; anything else would be a cut
    rows = [row.split() for row in text.splitlines()]
    assert ["0", "%", "0.0±7.2", "0.0±7.3", "500", "0.9/11/22", "–", "29", "0", "0", "✓"] in rows
    assert [
        *("10", "%", "11.4±7.2", "11.4±7.3", "500", "0.9/11/22"),
        *("1.0/2.0/3.0", "✗3", "29", "0", "3", "✗"),
    ] in rows


def test_a_line_says_the_same() -> None:
    assert line(step(10, 0.114, failed=3)) == (
        "canary at 10 %: % of users 11.4±7.2, % of requests 11.4±7.3, req/s 500, stable ms p50/95/99 0.9/11/22, "
        "canary ms p50/95/99 1.0/2.0/3.0 ✗3, moved 29, wrong 0, failed 3: FAILED"
    )


def test_without_a_terminal_each_step_is_printed_once() -> None:
    file = io.StringIO()
    first, second = step(0, 0.0), step(10, 0.1)
    with Screen(Console(file=file, width=40)) as screen:
        screen.show([], first)
        screen.show([first], None)
        screen.show([first], second)
        screen.show([first, second], None)
    assert file.getvalue().splitlines() == [line(first), line(second)]


def test_on_a_terminal_the_table_is_redrawn() -> None:
    file = io.StringIO()
    with Screen(Console(file=file, force_terminal=True, width=100)) as screen:
        screen.show([], step(0, 0.0))
        screen.show([step(0, 0.0)], step(10, 0.1))
    assert "10 %" in file.getvalue()
    assert "canary at" not in file.getvalue()


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (step(10, 0.2), "20.0% of the users were on canary, outside 10.0% ± 7.2%"),
        (step(10, 0.1, failed=2), "2 requests failed: status 502, from canary"),
        (step(10, 0.1, wrong=frozenset({4})), "1 users switched sides without reason"),
    ],
)
def test_the_summary_names_what_failed(bad: Step, said: str) -> None:
    first, *problems = summary(Outcome([step(0, 0.0), bad], COUNTS, COUNTS), 33)
    assert first == "The demo FAILED:"
    assert f"  at 10 %: {said}" in problems


def test_the_summary_names_counts_that_differ() -> None:
    assert summary(Outcome([step(0, 0.0)], COUNTS, COUNTS | {"canary": 6}), 33) == [
        "The demo FAILED:",
        "  users got 7 answers from canary, but the router counted 6",
    ]


def test_the_summary_of_a_good_run() -> None:
    assert summary(Outcome([step(0, 0.0), step(10, 0.1)], COUNTS, COUNTS), 33.4) == [
        "It held: weight 0 → 10 % in 33 s; no request failed; users and router both counted 6,000 from stable and "
        "7 from canary;",
        "users changed sides 58 times, each time because the weight did.",
    ]
