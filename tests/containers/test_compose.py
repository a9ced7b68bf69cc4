"""docker-compose.yml and the Dockerfile without a container engine: they fit each other and what users have."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from backend.config import Settings
from router.cli import app
from tests.conformance.router import free_port

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("cutover", "junjo-server-backend-python")


def substituted(text: str, environ: dict[str, str]) -> str:
    """``${NAME:-default}`` and ``${NAME:?message}`` as Compose replaces them."""
    return re.sub(r"\$\{(\w+):([-?])([^}]*)\}", lambda m: environ.get(m[1], m[3] if m[2] == "-" else ""), text)


def test_ports_are_those_that_users_have() -> None:
    found = {
        port.rpartition(":")[0].rpartition(":")[2]: f"{name}:{port.rpartition(':')[2]}"
        for name, service in SERVICES.items()
        for port in service.get("ports", ())
    }
    assert found == {
        "8080": "cutover:8080",
        "8081": "cutover:8081",
        "1323": "junjo-server-backend:1323",
        "50053": "junjo-server-backend:50053",
        "8000": "junjo-server-backend-python:8000",
        "50054": "junjo-server-backend-python:50053",
        "50051": "junjo-server-ingestion:50051",
        "50052": "junjo-server-ingestion:50052",
        "5151": "junjo-server-frontend:5151",
        "5153": "junjo-server-frontend:80",
        "9090": "prometheus:9090",
        "3000": "grafana:3000",
    }


def test_both_backends_have_the_same_files_and_the_same_secret() -> None:
    go, python = SERVICES["junjo-server-backend"], SERVICES["junjo-server-backend-python"]
    assert go["volumes"] == python["volumes"]
    assert go["environment"].items() <= python["environment"].items()
    assert python["environment"]["SQLITE_DB_PATH"] == "/dbdata/sqlite/app_data.db"
    mounted = [volume.rpartition(":")[2] for volume in python["volumes"]]
    for name in ("SQLITE_DB_PATH", "DUCKDB_PATH"):
        assert any(Path(python["environment"][name]).is_relative_to(folder) for folder in mounted)


def test_no_secret_has_a_value() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("SECRET|KEY|TOKEN|PASSWORD", name):
                assert re.fullmatch(r"\$\{\w+:(-|\?[^}]*)\}", value), name


def test_every_service_restarts_and_is_on_the_network() -> None:
    for name, service in SERVICES.items():
        assert service["restart"] == "unless-stopped", name
        assert list(service["networks"]) == ["junjo-network"], name
        assert set(service.get("depends_on", ())) <= set(SERVICES), name


def test_every_named_volume_and_every_mounted_path_is_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = substituted(volume, {}).split(":")[0]
            assert source in COMPOSE["volumes"] or source.startswith("./.dbdata/") or (ROOT / source).exists(), volume


def test_grafana_and_prometheus_find_what_they_are_told() -> None:
    provisioning = ROOT / "dashboards" / "provisioning"
    provider = yaml.safe_load((provisioning / "dashboards" / "cutover.yml").read_text())["providers"][0]
    mounts = {tuple(volume.split(":")[:2]) for volume in SERVICES["grafana"]["volumes"]}
    assert ("./dashboards/grafana", provider["options"]["path"]) in mounts
    assert ("./dashboards/provisioning", "/etc/grafana/provisioning") in mounts
    source = yaml.safe_load((provisioning / "datasources" / "cutover.yml").read_text())["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
    jobs = yaml.safe_load((ROOT / "dashboards" / "prometheus.yml").read_text())["scrape_configs"]
    targets = [job["static_configs"][0]["targets"] for job in jobs]
    assert targets == [["cutover:8081"], ["junjo-server-backend-python:8000"]]


def test_the_backend_takes_its_variables() -> None:
    known = {field.alias for field in Settings.model_fields.values()}
    assert set(SERVICES["junjo-server-backend-python"]["environment"]) <= known


def test_the_router_takes_its_command_and_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cutover config` prints what would be in force, and refuses what it doesn't know."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("CUTOVER_")]:
        monkeypatch.delenv(name)
    for name, value in SERVICES["cutover"]["environment"].items():
        monkeypatch.setenv(name, substituted(value, {}))
    done = CliRunner().invoke(app, ["config"])
    assert done.exit_code == 0, done.output
    assert "http://junjo-server-backend-python:8000" in done.output
    flags = [word for word in SERVICES["cutover"]["command"] if word.startswith("--")]
    shown = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    assert all(flag in shown for flag in flags)


@pytest.mark.parametrize("name", OURS)
def test_health_checks_tell_up_from_down(name: str) -> None:
    """Each one's own words, pointed at a server that is up, and at a port where nobody listens."""
    start, program, flag, code = SERVICES[name]["healthcheck"]["test"]
    assert (start, program, flag) == ("CMD", "python", "-c")
    port = re.search(r"127\.0\.0\.1:(\d+)", code)
    assert port is not None

    def check(at: int) -> subprocess.CompletedProcess[bytes]:
        here = code.replace(port[1], str(at))
        return subprocess.run([sys.executable, "-c", here], capture_output=True, timeout=60, check=False)

    class Up(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in ("/ping", "/readyz") else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Up) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        up = check(server.server_port)
        server.shutdown()
    assert up.returncode == 0, up.stderr
    down = check(free_port())
    assert down.returncode == 1
    assert b"Connection refused" in down.stderr


def test_the_image_runs_as_a_user_and_holds_no_build_tool() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER (?!root)\w+$", last, re.MULTILINE)
    assert "pip install" not in last
    assert "apt-get" not in last
    assert "--require-hashes" in DOCKERFILE
    health = SERVICES["cutover"]["healthcheck"]["test"][3]
    assert health in last


def test_decommissioning_is_prepared() -> None:
    """With the mark off, the Python backend has the name that the ingestion service asks for."""
    changed = yaml.safe_load(TEXT.replace("# aliases:", "aliases:"))
    network = changed["services"]["junjo-server-backend-python"]["networks"]["junjo-network"]
    assert network == {"aliases": ["junjo-server-backend"]}
    settings = changed["services"]["junjo-server-backend-python"]["environment"]
    assert settings["AUTH_GRPC_LISTEN_ADDRESS"].endswith(":50053")


def test_every_variable_is_on_the_page() -> None:
    page = (ROOT / "docs" / "containers.md").read_text()
    assert {name for name in re.findall(r"\$\{(\w+):", TEXT) if f"`{name}`" not in page} == set()


def test_what_is_copied_is_what_the_wheel_is_built_from() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert kept == {"pyproject.toml", "requirements.lock", "README.md", "router", "backend", "schemas", "sql"}
    assert all((ROOT / name).exists() for name in kept)
