"""Every query of every panel, asked of a real Prometheus that scrapes a running router and two backends under load."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from dashboards.__main__ import BOARDS
from dashboards.model import Panel, Query
from tests.backend.processes import running_backend
from tests.conformance.router import free_port
from tests.dashboards.prometheus import Prometheus, Sample, needs_prometheus, running_prometheus
from tests.dashboards.series import ROOT
from tests.dashboards.traffic import ROUTES, prepare, traffic
from tests.faults.processes import wait_until
from tests.faults.router import Router, running_router
from tests.standins.providers import running_providers

#: Until the last panel has data; the first streamed call of a model waits 5 to 10 s for litellm's import.
PATIENCE = 60.0
#: The first step ends by a decision of the router's own.
STEPS = [{"name": "start", "percent": 10}, {"name": "half", "percent": 50, "hold": "1h"}]
PLAN = {"name": "panels", "accept_inconclusive": True, "step": STEPS}


@contextmanager
def ingestion(port: int, log: Path, auth: str) -> Iterator[None]:
    """The stand-in service; at its start it asks the backend at `auth` about an API key."""
    command = [sys.executable, "-m", "tests.standins.ingestion", "--port", str(port), "--log", str(log), "--auth", auth]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline().startswith("ready ")
        yield
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Router, Prometheus]]:
    folder = tmp_path_factory.mktemp("live")
    spans_port, auth = free_port(), f"127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        providers = stack.enter_context(running_providers())
        prepare(providers)
        settings = providers.environment({"openai": "sk-openai-test"})
        settings |= {"INGESTION_GRPC_ADDRESS": f"127.0.0.1:{spans_port}", "SPAN_POLL_INTERVAL": "0.3"}
        stable = stack.enter_context(running_backend(folder / "1", **settings, AUTH_GRPC_LISTEN_ADDRESS=auth))
        canary = stack.enter_context(running_backend(folder / "2", **settings))
        router = stack.enter_context(running_router(folder, stable, canary, ROUTES, percent=0))
        hosts = [backend.url.removeprefix("http://") for backend in (stable, canary)]
        targets = {"router": [f"127.0.0.1:{router.admin_port}"], "backend": hosts}
        prometheus = stack.enter_context(running_prometheus(folder / "prometheus", targets))
        # Polls fail until there is a service.
        failing = "count(backend_ingest_errors_total) == 2"
        wait_until(lambda: bool(prometheus.query(failing)), "failed polls are counted", PATIENCE)
        log = folder / "spans.jsonl"
        stack.enter_context(ingestion(spans_port, log, auth))
        stack.enter_context(traffic(f"http://127.0.0.1:{router.port}", stable.url, auth, log))
        status, text = router.ask("POST", "/api/v1/rollouts", {"plan": PLAN, "reason": "panels"})
        assert status == 200, text
        yield router, prometheus


def _is_shown(query: Query, samples: list[Sample]) -> bool:
    """There are values, and labels for what the legend names."""
    named = re.findall(r"{{(\w+)}}", query.legend)
    return bool(samples) and all(any(labels.get(name) for labels, _ in samples) for name in named)


@pytest.mark.slow
@needs_prometheus
def test_every_panel_has_data(running: tuple[Router, Prometheus]) -> None:
    router, prometheus = running
    asked = [(board.uid, panel, query) for board in BOARDS for panel in board.panels for query in panel.targets]
    rollback = [each for each in asked if "cutover_rollbacks_total" in each[2].expr]
    others = [each for each in asked if each not in rollback]
    _wait_until_shown(prometheus, others)
    status, text = router.ask("POST", "/api/v1/rollout/rollback", {"reason": "panels"})
    assert status == 200, text
    _wait_until_shown(prometheus, rollback)


def _wait_until_shown(prometheus: Prometheus, asked: list[tuple[str, Panel, Query]]) -> None:
    missing = asked

    def all_shown() -> bool:
        nonlocal missing
        missing = [each for each in missing if not _is_shown(each[2], prometheus.query(each[2].expr))]
        return not missing

    try:
        wait_until(all_shown, "every panel has data", PATIENCE)
    except AssertionError:
        lines = [f"{uid}: {panel.title}: {query.expr}" for uid, panel, query in missing]
        raise AssertionError("no data after a minute:\n" + "\n".join(lines)) from None


@pytest.mark.slow
@needs_prometheus
def test_every_variable_has_choices(running: tuple[Router, Prometheus]) -> None:
    _, prometheus = running
    for board in BOARDS:
        for variable in board.variables:
            assert prometheus.values(variable.series, variable.label), (board.uid, variable.name)


@pytest.mark.slow
@needs_prometheus
def test_the_rules_are_evaluated_and_a_rollback_fires(running: tuple[Router, Prometheus]) -> None:
    router, prometheus = running
    state = json.loads(router.ask("GET", "/api/v1/rollout")[1])["phase"]
    if state == "running":
        assert router.ask("POST", "/api/v1/rollout/rollback", {"reason": "alert"})[0] == 200

    def firing() -> set[str]:
        rules = [rule for group in prometheus.ask("/api/v1/rules")["groups"] for rule in group["rules"]]
        assert len(rules) > 15
        assert {rule["health"] for rule in rules} <= {"ok", "unknown"}, rules
        return {rule["name"] for rule in rules if rule.get("state") == "firing"}

    wait_until(lambda: "CutoverRolledBack" in firing(), "the alert fires", PATIENCE)
    assert prometheus.query("arm:cutover_requests_failed:ratio_rate5m")
