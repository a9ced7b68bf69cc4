"""The alert rules under Prometheus' own unit tests (`promtool test rules`)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.dashboards.series import ROOT, rules

CASES = sorted((Path(__file__).parent / "rules").glob("*.yml"))

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool here; on Debian: apt-get install prometheus")


def promtool(*arguments: str) -> None:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_the_configuration() -> None:
    promtool("check", "config", str(ROOT / "dashboards" / "prometheus.yml"))


@needs_promtool
@pytest.mark.slow
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_rules(path: Path) -> None:
    promtool("test", "rules", str(path))


def test_every_alert_is_seen_to_fire() -> None:
    fired = {
        check["alertname"]
        for path in CASES
        for case in yaml.safe_load(path.read_text())["tests"]
        for check in case.get("alert_rule_test", ())
        if check["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in rules() if "alert" in rule}
