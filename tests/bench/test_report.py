"""The bench's own arithmetic: a figure that is condensed wrongly would be believed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from tests.bench.goals import GOALS, Verdict, judge_all
from tests.bench.lag import Seen, lag_ms
from tests.bench.load import Sample, parse
from tests.bench.machine import plan_cores, taskset
from tests.bench.report import comparison, number, show, show_goals, write_json
from tests.bench.stats import calmest, grown, median_of, paired_ratios, ratio, rotated
from tests.bench.streams import content_length

WRK = """Running 2s test @ http://127.0.0.1:1/
  2 requests in 2.00s
BENCH {"requests": 90000, "duration_us": 2000000, "bytes": 18000000, "p50_us": 700, "p90_us": 900, "p99_us": 1500, \
"p999_us": 2500, "max_us": 9000, "connect": 1, "read": 2, "write": 3, "status": 4, "timeout": 5}
"""


def sample(peer: str, rps: float, *, errors: int = 0, foreign: float = 0.0, busy: float = 1.0) -> Sample:
    return Sample(
        peer=peer,
        rps=rps,
        p50=1.0,
        p99=1000 / rps,
        p999=3.0,
        cpu_us=1e6 / rps,
        busy=busy,
        mb_s=1.0,
        errors=errors,
        foreign=foreign,
    )


def test_figures_of_wrk_are_read_exactly() -> None:
    counted = parse(WRK)
    assert (counted.requests, counted.seconds, counted.bytes) == (90000, 2.0, 18_000_000)
    assert (counted.p50, counted.p99, counted.p999, counted.max) == (0.7, 1.5, 2.5, 9.0)
    assert counted.errors == 15


def test_output_without_figures_is_an_error() -> None:
    with pytest.raises(ValueError, match="no figures: Segmentation fault"):
        parse("Segmentation fault")


def test_ratios_are_paired_by_round() -> None:
    # The machine halves its speed in the second round: for both, so the ratio doesn't move.
    rounds = [sample("cutover", 20), sample("nginx", 10), sample("nginx", 5), sample("cutover", 10)]
    rounds += [sample("cutover", 33), sample("nginx", 11)]
    assert paired_ratios(rounds, "cutover", "nginx", lambda one: one.rps) == [2, 2, 3]
    assert ratio(rounds, "cutover", "nginx", lambda one: one.rps) == 2
    assert median_of(rounds, "nginx", lambda one: one.rps) == 10


def test_a_missing_peer_has_no_figures() -> None:
    rounds = [sample("cutover", 20)]
    assert ratio(rounds, "cutover", "envoy", lambda one: one.rps) is None
    assert median_of(rounds, "envoy", lambda one: one.rps) is None
    assert paired_ratios([*rounds, sample("nginx", 10)], "nginx", "cutover", lambda _: 0.0) == []


def test_rounds_are_chosen_by_foreign_load_and_whole() -> None:
    rounds = [
        [sample("cutover", 1, foreign=0.0), sample("nginx", 1, foreign=0.5)],
        [sample("cutover", 2, foreign=0.1), sample("nginx", 2, foreign=0.1)],
        [sample("cutover", 3, foreign=0.0), sample("nginx", 3, foreign=0.0)],
    ]
    assert [(one.peer, one.rps) for one in calmest(rounds, 2)] == [
        ("cutover", 2),
        ("nginx", 2),
        ("cutover", 3),
        ("nginx", 3),
    ]
    assert calmest([], 2) == []


def test_every_peer_begins_a_round() -> None:
    assert [rotated("abc", turn)[0] for turn in range(4)] == ["a", "b", "c", "a"]
    assert rotated([], 3) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], 0.0),
        ([50.0], 0.0),
        ([40.0, 50.0, 50.0, 50.0], 10.0),
        ([40.0, 50.0, 50.0, 50.0, 50.0, 50.0, 50.0, 50.0], 0.0),
        ([50.0, 52.0, 51.0, 50.0, 49.0, 48.0, 51.0, 52.0], 0.0),
        ([50.0, 50.0, 51.0, 52.0, 53.0, 54.0, 55.0, 56.0], 6.0),
    ],
)
def test_growth_leaves_out_the_warm_up(values: list[float], expected: float) -> None:
    assert grown(values) == expected


def test_a_figure_at_the_limit_reaches_the_goal() -> None:
    judged = {goal.key: verdict for goal, _, verdict in judge_all({"main.rps.nginx": 1.0, "main.p99.nginx": 1.21})}
    assert judged["main.rps.nginx"] is Verdict.REACHED
    assert judged["main.p99.nginx"] is Verdict.MISSED
    assert judged["lag.ms"] is Verdict.UNKNOWN
    assert len({goal.key for goal in GOALS}) == len(GOALS)


def test_a_comparison_fills_the_goals_and_warns(tmp_path: Path) -> None:
    rounds = [sample("cutover", 300, foreign=0.4), sample("nginx", 200, errors=7, foreign=0.4, busy=0.5)]
    outcome = comparison("main", "Title", rounds[::-1], {"cutover": "cutover", "nginx": "nginx!"})
    assert outcome.figures["main.rps.nginx"] == 1.5
    assert outcome.figures["main.p99.nginx"] == pytest.approx(2 / 3)
    assert {"main.rps.nginx", "main.p99.nginx"} == outcome.unsure
    assert "main.rps.cutover" not in outcome.figures
    assert [row[0] for row in outcome.rows] == ["cutover", "nginx!"]
    assert all(len(row) == len(outcome.head) for row in outcome.rows)
    notes = "; ".join(outcome.notes)
    assert "40% of the machine in the median" in notes
    assert "limited by the proxy itself: nginx;" in notes
    assert "{'nginx': 7}" in notes

    console = Console(width=150, record=True, quiet=True)
    show(console, outcome)
    show_goals(console, [outcome])
    write_json(tmp_path / "out.json", [outcome], {"cores": "2"})
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["goals"][0] == {
        "figure": "requests/s ÷ nginx",
        "goal": "≥ 1",
        "measured": 1.5,
        "verdict": "reached",
        "unsure": True,
    }
    assert written["scenarios"][0]["raw"][1]["rps"] == 300


def test_numbers_are_grouped_and_gaps_shown() -> None:
    assert (number(12345.678, 1), number(None)) == ("12,345.7", "–")


def test_the_lag_is_the_last_answer_of_the_old_arm() -> None:
    seen = [
        Seen(sent=0.0, came=0.9, canary=False),  # before the change
        Seen(sent=0.99, came=1.004, canary=False),
        Seen(sent=1.001, came=1.002, canary=True),
        Seen(sent=1.005, came=1.010, canary=True),
    ]
    assert lag_ms(seen, 1.0, to_canary=True) == pytest.approx(4.0)
    assert lag_ms(seen[2:], 1.0, to_canary=True) == 0.0


def test_the_proxy_has_a_core_of_its_own_where_there_is_one() -> None:
    two, four, one = plan_cores({0, 1}), plan_cores({0, 1, 2, 3}), plan_cores({5})
    assert [set(two.proxy), set(two.load), set(two.upstream)] == [{1}, {0}, {0}]
    assert [set(four.proxy), set(four.load), set(four.upstream)] == [{3}, {0}, {1}]
    assert "nothing is pinned" in one.note
    assert taskset(four.everything) == ["taskset", "-c", "0,1,2,3"]


def test_content_length_of_a_head() -> None:
    assert content_length(b"HTTP/1.1 200 OK\r\nServer: x\r\ncontent-Length:  17") == 17
    assert content_length(b"GET / HTTP/1.1\r\nHost: x") == 0
