"""DuckDB 1.1.3, which is inside the Go backend: its Python package in an environment of its own.

Made on first use in .cache (some 60 MB), since two versions can't be in one environment.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

VERSION = "1.1.3"
_FOLDER = Path(__file__).parents[2] / ".cache" / f"duckdb-{VERSION}"

#: Runs each statement and prints the rows of the last as JSON; `kill`: ends as a killed process does.
_RUN = """
import duckdb, json, os, signal, sys
path, kill, *statements = sys.argv[1:]
assert duckdb.__version__ == "1.1.3"
connection = duckdb.connect(path)
for statement in statements:
    rows = connection.execute(statement).fetchall()
print(json.dumps(rows), flush=True)
if kill == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
"""


class GoDuckdb:
    def __init__(self, python: Path) -> None:
        self._python = python

    def run(self, path: Path, *statements: str, killed: bool = False) -> list[list[Any]]:
        """Rows of the last statement; a file that can't be opened fails the test with DuckDB's own words."""
        command = [str(self._python), "-c", _RUN, str(path), "kill" if killed else "close", *statements]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == (-9 if killed else 0), done.stderr
        rows: list[list[Any]] = json.loads(done.stdout)
        return rows


def install() -> GoDuckdb | str:
    """Ready to run; or why it can't be had here."""
    python = _FOLDER / "bin" / "python"
    ready = _FOLDER / "ready"
    if not ready.exists():
        venv.create(_FOLDER, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--only-binary=:all:", f"duckdb=={VERSION}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            return f"duckdb {VERSION} can't be installed on Python {sys.version_info.minor}: {done.stderr[-300:]}"
        ready.touch()
    return GoDuckdb(python)
