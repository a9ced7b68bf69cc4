"""A real Prometheus over our own configuration and rules, scraping every second; and what it answers to queries."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conformance.router import free_port
from tests.dashboards.series import ROOT
from tests.faults.processes import HANG, wait_until

BINARY = shutil.which("prometheus")
needs_prometheus = pytest.mark.skipif(
    BINARY is None, reason="no prometheus here; on Debian: apt-get install prometheus"
)
#: Three scrapes, for `$__rate_interval`; Grafana makes it four times the scrape interval.
RATE_INTERVAL = "4s"

Sample = tuple[dict[str, str], float]


class Prometheus:
    """A running Prometheus; `url` is its address."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **parameters: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(parameters)}", timeout=HANG) as answer:
            content = json.load(answer)
        assert content["status"] == "success", content
        return content["data"]

    def query(self, expression: str) -> list[Sample]:
        """The instant value of each series, NaN left out; Grafana's variables stand for everything."""
        expression = expression.replace("$__rate_interval", RATE_INTERVAL)
        for name in ("arm", "route", "instance", "provider"):
            expression = expression.replace(f'"${name}"', '".*"')
        assert "$" not in expression, expression
        found = self.ask("/api/v1/query", query=expression)["result"]
        samples = [(each["metric"], float(each["value"][1])) for each in found]
        return [(labels, value) for labels, value in samples if value == value]

    def values(self, series: str, label: str) -> list[str]:
        """What a variable of a dashboard offers."""
        found: list[str] = self.ask(f"/api/v1/label/{label}/values", **{"match[]": series})
        return found

    def is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=HANG) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def running_prometheus(folder: Path, targets: Mapping[str, Sequence[str]]) -> Iterator[Prometheus]:
    """Our prometheus.yml with other addresses (`targets` by job), looked at every second."""
    assert BINARY is not None
    config = yaml.safe_load((ROOT / "dashboards" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(ROOT / "dashboards" / pattern) for pattern in config["rule_files"]]
    assert {job["job_name"] for job in config["scrape_configs"]} == set(targets)
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": list(targets[job["job_name"]])}]
    folder.mkdir()
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = [BINARY, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address={address}"], stdout=log, stderr=subprocess.STDOUT, cwd=folder
        )
    prometheus = Prometheus(f"http://{address}")
    try:
        wait_until(prometheus.is_up, "Prometheus is ready")
        yield prometheus
    finally:
        process.terminate()
        process.wait(HANG)
