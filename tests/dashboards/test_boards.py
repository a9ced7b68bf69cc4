"""The dashboards' JSON is what the tables say, and hangs together; every series that is asked for exists."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from dashboards.__main__ import BOARDS, FOLDER, text
from dashboards.model import COLUMNS, Board, render
from tests.dashboards.series import ROOT, all_exported, exported, named, rules

each_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("a", {"a"}),
        ('sum by (x, le) (rate(a_total{b="c{d}",e=~"f"}[5m]))', {"a_total"}),
        ("(r:a:rate5m > 14.4 * 0.01 and on (instance) b) or vector(0)", {"r:a:rate5m", "b"}),
        ('a{p="x"} unless a{p="x"} offset 15m', {"a"}),
        ("histogram_quantile(0.95, sum(rate(a_bucket[$__rate_interval]))) / time()", {"a_bucket"}),
    ],
)
def test_names_are_found_in_expressions(expression: str, names: set[str]) -> None:
    assert named(expression) == names


def test_names_are_found_in_modules() -> None:
    source = 'yield _counter("a_total", "x")\nHistogram("b", "x", registry=r)\nGauge("c", "x")\nInfo("d", "x")\nf("e")'
    assert exported(source) == {"a_total", "b_bucket", "b_sum", "b_count", "c", "d_info"}
    assert len(all_exported()) > 60


@each_board
def test_panels_ask_for_series_that_exist(board: Board) -> None:
    asked = {name for panel in board.panels for query in panel.targets for name in named(query.expr)}
    asked |= {name for variable in board.variables for name in named(variable.series)}
    asked |= {name for mark in render(board)["annotations"]["list"] for name in named(mark["expr"])}
    assert asked
    assert asked <= all_exported()


def test_rules_ask_for_series_that_exist() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    asked = {name for rule in rules() for name in named(rule["expr"])}
    assert asked
    assert asked <= all_exported() | recorded


def test_every_alert_says_what_to_do() -> None:
    for rule in rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
            assert set(rule["annotations"]) == {"summary", "action"}, rule["alert"]


def test_the_page_lists_every_alert() -> None:
    listed = re.findall(
        r"^\| `((?:Cutover|Backend)\w+)` \|", (ROOT / "docs" / "monitoring.md").read_text(), re.MULTILINE
    )
    assert listed == [rule["alert"] for rule in rules() if "alert" in rule]


@each_board
def test_the_json_is_as_the_table_says(board: Board) -> None:
    written = (FOLDER / f"{board.uid}.json").read_text("utf-8")
    assert written == text(board), "run make docs"


def test_no_other_json_lies_there() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {board.uid for board in BOARDS}


@each_board
def test_no_panel_covers_another(board: Board) -> None:
    places = [panel["gridPos"] for panel in render(board)["panels"]]
    assert all(place["x"] + place["w"] <= COLUMNS for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)


@each_board
def test_titles_and_variables(board: Board) -> None:
    titles = [panel.title for panel in board.panels]
    assert len(set(titles)) == len(titles)
    used = {name for panel in board.panels for query in panel.targets for name in re.findall(r"\$(\w+)", query.expr)}
    assert used - {"__rate_interval"} == {variable.name for variable in board.variables}
