"""The wheel that the image is made of, installed where the clone is out of reach: its SQL and schemas must be inside.

The image's own way, with every wheel checked against the lock and into an empty environment, takes two minutes and is
``tests/containers/replay.sh``; here the packages that the wheel needs are those of this environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest

from tests.backend.processes import HANG, environment

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-index"]
    command += ["--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    [path] = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables with which this Python finds the unpacked wheel, and the clone nowhere."""
    folder = tmp_path_factory.mktemp("site")
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    # -S leaves out the .pth file that leads to the clone.
    return {"PYTHONPATH": f"{folder}{os.pathsep}{sysconfig.get_paths()['purelib']}"}


def test_every_data_file_is_in_it(wheel: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    for package in ("router", "backend"):
        assert {f"{package}/_sql/{path.name}" for path in (ROOT / "sql" / package).iterdir()} <= names
    assert {f"backend/_schema/duckdb/{path.name}" for path in (ROOT / "schemas" / "duckdb").iterdir()} <= names
    schemas = {path.name for path in (ROOT / "schemas" / "sqlite").iterdir()}
    assert schemas == {Path(name).name for name in names if name.endswith(".sql") and Path(name).name in schemas}
    assert "backend/llm/models.json" in names
    assert not [name for name in names if name.startswith(("tests", "dashboards"))]


@pytest.mark.parametrize("module", ["router", "backend"])
def test_its_commands_start(installed: dict[str, str], tmp_path: Path, module: str) -> None:
    command = [sys.executable, "-S", "-m", module, "--help"]
    done = subprocess.run(command, cwd=tmp_path, env=installed, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_its_backend_answers(installed: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-S", "-m", "backend", "--host", "127.0.0.1", "--port", "0"]
    env = environment(tmp_path, installed)
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True)
    guard = threading.Timer(HANG, process.kill)
    guard.start()
    try:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if "the backend answers on " in line:
                break
        port = "".join(lines).rpartition("the backend answers on ")[2].partition('"')[0].rpartition(":")[2]
        assert port, lines
        assert httpx.get(f"http://127.0.0.1:{port}/ping", timeout=HANG).text == "pong"
        assert httpx.get(f"http://127.0.0.1:{port}/users/db-has-users", timeout=HANG).status_code == 200
    finally:
        guard.cancel()
        process.terminate()
        process.communicate(timeout=HANG)
    assert process.returncode == 0
