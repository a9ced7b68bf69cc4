"""Sources and their order, what is refused, and that every refusal says where and what."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from router.config import Settings, load, parse_listen
from router.errors import ConfigError
from router.rollout.plan import Plan


def _file(folder: Path, text: str) -> Path:
    file = folder / "cutover.toml"
    file.write_text(text)
    return file


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    file = _file(tmp_path, 'listen = "127.0.0.1:1"\nadmin = "127.0.0.1:2"\nworkers = 3\n')
    environ = {"CUTOVER_LISTEN": "127.0.0.1:4", "CUTOVER_ADMIN": "127.0.0.1:5"}
    settings = load({"listen": "127.0.0.1:6", "admin": None}, environ, file)
    assert (settings.listen, settings.admin, settings.workers) == ("127.0.0.1:6", "127.0.0.1:5", 3)
    assert settings.state == Path("cutover.db")


def test_the_file_is_found_by_its_variable(tmp_path: Path) -> None:
    file = _file(tmp_path, "workers = 7\n")
    assert load({}, {"CUTOVER_CONFIG": str(file)}, None).workers == 7


def test_sections_come_from_file_and_environment(tmp_path: Path) -> None:
    file = _file(tmp_path, '[timeouts]\nhead = "250ms"\nconnect = 3\n[[route]]\npath = "/a/*"\npin = "stable"\n')
    settings = load({}, {"CUTOVER_TIMEOUTS_CONNECT": "1m", "CUTOVER_SPLIT_OVERRIDE": "true"}, file)
    assert (settings.timeouts.head, settings.timeouts.connect) == (0.25, 60)
    assert settings.split.override
    assert settings.route[0].label == "/a/*"


def test_lists_in_the_environment_are_separated_by_commas() -> None:
    settings = load({}, {"CUTOVER_STABLE": "http://a:1, http://b:2"}, None)
    assert settings.stable == ("http://a:1", "http://b:2")


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("10s", 10), ("1.5", 1.5), ("5m", 300), ("24h", 86400), ("2d", 172800)]
)
def test_durations(text: str, seconds: float) -> None:
    assert load({}, {"CUTOVER_TIMEOUTS_DRAIN": text}, None).timeouts.drain == seconds


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("listn = 1", "listn: no such setting; did you mean listen?"),
        ("[timeouts]\nhaed = 1", "timeouts.haed: no such setting; did you mean head?"),
        ('[[route]]\npath = "/"\npim = "stable"', "route.0.pim: no such setting; did you mean pin?"),
        ('listen = "8080"', "write host:port"),
        ('listen = "::1:8080"', "brackets"),
        ('stable = ["ftp://a"]', "write http://host:port"),
        ('stable = ["http://u:p@a"]', "is not an upstream"),
        ('stable = ["http://a/b"]', "has a path"),
        ('stable = ["http://a:x"]', "stable"),
        ("stable = [" + '"http://a",' * 17 + "]", "at most 16"),
        ('trusted_proxies = ["10.0.0.0/33"]', "trusted_proxies"),
        ('[timeouts]\nhead = "soon"', "is not a duration"),
        ("[timeouts]\nhead = 0", "timeouts.head"),
        ('[split]\ncookie = "a b"', "not a valid header or cookie name"),
        ('[tls]\ncert = "c.pem"', "go together"),
        ('[health]\npath = "ping"', "health.path"),
        ('[[route]]\npath = "api/*"', "route.0.path"),
        ('[[route]]\npath = "/a b"', "route.0.path"),
        ('[[route]]\npath = "/"\npercent = 101', "route.0.percent"),
        ("x = ", "cutover.toml"),
    ],
)
def test_what_is_wrong_is_named_with_its_source(tmp_path: Path, toml: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        load({}, {}, _file(tmp_path, toml))
    assert "cutover.toml" in str(caught.value)


def test_an_unknown_variable_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="CUTOVER_LISTN: no such setting; did you mean CUTOVER_LISTEN"):
        load({}, {"CUTOVER_LISTN": "x"}, None)


def test_variables_of_other_programs_are_left_alone() -> None:
    environ = {"CUTOVER_ADMIN_URL": "http://x", "CUTOVER_BENCH_SECONDS": "1", "PATH": "/bin", "CUTOVER_STATE": ""}
    assert load({}, environ, None) == load({}, {}, None)


def test_a_wrong_flag_is_named_as_such() -> None:
    with pytest.raises(ConfigError, match="--listen: listen: 'x'"):
        load({"listen": "x"}, {}, None)


def test_a_missing_file_is_an_error_only_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    load({}, {}, None)
    with pytest.raises(ConfigError, match="no such file"):
        load({}, {}, tmp_path / "other.toml")


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:80", ("::1", 80)), (":80", ("", 80)), ("h:0", ("h", 0))],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_listen(text) == address


@pytest.mark.parametrize("text", ["", "h", "8080", "h:", "h:65536", "h:-1", "h:٣"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):
        parse_listen(text)


@pytest.mark.parametrize("secrets", [{"admin_token": "s3cret"}, {"viewer_token": "s3cret"}])
def test_secrets_are_not_in_the_representation(secrets: dict[str, Any]) -> None:
    assert "s3cret" not in repr(Settings.model_validate(secrets))


PLAN = """
[plan]
name = "mine"
[[step]]
name = "a"
percent = 5
hold = "10m"
[watch]
for = "1d"
[[gate]]
metric = "errors"
max = 0.02
"""


def test_the_plan_stands_at_the_top_of_the_file(tmp_path: Path) -> None:
    plan = load({}, {}, _file(tmp_path, PLAN)).plan
    assert (plan.name, plan.steps[0].hold, plan.watch.duration, plan.gates[0].label) == ("mine", 600, 86400, "errors")
    assert load({}, {}, _file(tmp_path, "")).plan == Plan()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("percent = 5", "percent = 500", r"cutover\.toml: plan\.step\.0\.percent: .*less than or equal to 100"),
        ("percent = 5", "percent = 5\npercnt = 1", r"plan\.step\.0\.percnt: no such setting; did you mean percent\?"),
        ("max = 0.02", "maxx = 0.02", r"plan\.gate\.0\.errors\.maxx: no such setting; did you mean max\?"),
        ("[watch]\nfor", "[watch]\nfro", r"plan\.watch\.fro: no such setting; did you mean for\?"),
        ("[[gate]]", "[[gates]]", r"gates: no such setting"),
        ('name = "mine"', "alpha = 5", r"plan\.alpha: "),
    ],
)
def test_mistakes_in_the_plan_are_named(tmp_path: Path, before: str, after: str, said: str) -> None:
    assert PLAN.count(before) == 1
    with pytest.raises(ConfigError, match=said):
        load({}, {}, _file(tmp_path, PLAN.replace(before, after)))
