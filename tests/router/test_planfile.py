"""Plans in files: TOML and JSON give the same, and what can't be meant is an error that names the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from router.errors import ConfigError
from router.planfile import read
from router.rollout.plan import Plan

STEPS = '[[step]]\nname = "one"\npercent = 5\nhold = "10m"\n'


def _file(folder: Path, text: str, name: str = "plan.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_toml_and_json_are_the_same(tmp_path: Path) -> None:
    toml = f'{STEPS}[watch]\nfor = "1h"\n[[gate]]\nmetric = "health"\n[plan]\nname = "go"\nalpha = 0.02\n'
    tree = {
        "name": "go",
        "alpha": 0.02,
        "step": [{"name": "one", "percent": 5, "hold": "10m"}],
        "watch": {"for": "1h"},
        "gate": [{"metric": "health"}],
    }
    assert read(_file(tmp_path, toml)) == tree
    assert read(_file(tmp_path, json.dumps(tree), "plan.json")) == tree
    parts = {"plan": {"name": "go", "alpha": 0.02}, **{key: tree[key] for key in ("step", "watch", "gate")}}
    assert read(_file(tmp_path, json.dumps(parts), "parts.json")) == tree
    assert Plan.model_validate(tree).steps[0].hold == 600


def test_settings_beside_the_plan_are_left_alone(tmp_path: Path) -> None:
    toml = f'stable = "http://127.0.0.1:1"\nworkers = 2\n{STEPS}[timeouts]\nhead = 5\n'
    assert set(read(_file(tmp_path, toml))) == {"step"}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("plan.toml", "step = [", "plan.toml: "),
        ("plan.json", "{", "plan.json: "),
        ("plan.json", "[]", "holds no plan"),
        ("plan.toml", "workers = 2\n", "holds no plan"),
        ("plan.toml", f'{STEPS}[[gates]]\nmetric = "health"\n', "gates: .*did you mean gate?"),
        ("plan.toml", f"alpha = 0.05\n{STEPS}", "alpha: neither part of a plan nor a setting"),
        ("plan.json", '{"plan": {}, "reason": "x"}', "reason: neither"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read(_file(tmp_path, text, name))


def test_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: no such file"):
        read(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary\.toml"):
        read(tmp_path / "binary.toml")
