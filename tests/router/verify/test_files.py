"""Files of cases and rules: what is wrong is named, and the files that we ship are what makes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.errors import ConfigError
from router.shadow import rules
from router.verify import cases
from router.verify.files import read_cases, read_rules
from tests.contract import cases as product
from tests.contract.steps import Record

ROOT = Path(__file__).parents[3]
PING = '{"path": "/ping"}\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no cases in it"),
        (PING + "{", ":2: Invalid JSON"),
        ('{"path": "ping"}', ":1: path: "),
        ('{"path": "/", "volatil": []}', ":1: volatil: "),
        ('{"path": "/", "volatile": ["id"]}', "must begin with one of"),
        ('{"path": "/", "capture": {"a": "x"}}', ":1: capture.a: "),
        (PING + PING, ":2: a second case 'GET /ping'"),
        ('{"path": "/", "after": "x"}', "no case 'x' above"),
    ],
)
def test_wrong_cases(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_cases([path])
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_wrong_case_does_not_show_its_session(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text('{"path": "/", "headers": {"Cookie": "session=hush"}, "x": 1}')
    with pytest.raises(ConfigError) as caught:
        read_cases([path])
    assert "hush" not in str(caught.value)


def test_comments_and_several_files(tmp_path: Path) -> None:
    one, other = tmp_path / "a", tmp_path / "b"
    one.write_text("# what it is\n\n" + PING)
    other.write_text('{"id": "b", "path": "/b", "set": ["$"]}')
    assert [case.label for case in read_cases([one, other])] == ["GET /ping", "b"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("r.toml", "[[rule]]", "rule.0.path: "),
        ("r.toml", '[[rule]]\npath="$"\ntreat="set"\nclasses=["value"]', "classes go with"),
        ("r.toml", '[[rule]]\npath="$"\ntreat="skip"', "rule.0.treat: "),
        ("r.toml", '[default]\nvalues="warn"', "default.values"),
        ("r.toml", "rule = ", "Invalid value"),
        ("r.json", "[", "Expecting value"),
    ],
)
def test_wrong_rules(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_rules(tmp_path / name)
    assert said in str(caught.value)


def test_rules_in_both_formats(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text('[[rule]]\npath = "$.a"\ntreat = "set"\n[default]\nextra = "warn"\n')
    (tmp_path / "r.json").write_text('{"rule": [{"path": "$.a", "treat": "set"}], "default": {"extra": "warn"}}')
    assert read_rules(tmp_path / "r.toml") == read_rules(tmp_path / "r.json")
    assert read_rules(None) == rules.Rules()


def test_absent() -> None:
    with pytest.raises(ConfigError, match="no such file"):
        read_rules(Path("absent.toml"))


@pytest.mark.parametrize(
    ("path", "made"),
    [("schemas/cases.schema.json", cases.json_schema), ("schemas/rules.schema.json", rules.json_schema)],
)
def test_schemas_are_up_to_date(path: str, made: object) -> None:
    assert callable(made)
    assert (ROOT / path).read_text() == made(), "run make docs"


def test_the_products_cases_are_made_from_the_record() -> None:
    record = Record.load()
    for path, made in ((product.READS, product.reads(record)), (product.WRITES, product.writes(record))):
        assert path.read_text() == product.lines(made), "run python -m tests.contract.cases"
        assert read_cases([path])


def test_reads_only_read() -> None:
    assert all(case.safe and not case.writes for case in read_cases([product.READS]))
