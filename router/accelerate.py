"""Compiles the data plane with mypyc: the same annotated sources as a C extension, about a third faster in a worker.

``python -m router.accelerate`` (or ``make compile``) copies the package to .compiled/DIGEST beside it and compiles the
modules on the path of a request there. Supervisors start their workers from that tree as long as its digest is that of
the sources they run from, so an edited file is never shadowed by a stale extension; without a tree, or without a C
compiler, workers run the plain Python.

What the compiler gets wrong, so that compiled modules must avoid it: a slice of bytes whose start lies behind its end
raises SystemError instead of being empty (mypyc 2.4).
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(__file__).parent
_HOME = PACKAGE.parent / ".compiled"

#: Compiled together, as one extension, so that calls between them are C calls.
MODULES = (
    "counters",
    "histogram",
    "split",
    "table",
    "wire/body",
    "wire/fields",
    "wire/recall",
    "wire/request",
    "wire/response",
    "proxy/core",
    "proxy/downstream",
    "proxy/exchange",
    "proxy/heads",
    "proxy/pool",
    "proxy/stall",
    "proxy/tunnel",
    "proxy/upload",
    "proxy/upstream",
)


def digest() -> str:
    """Identifies the sources and the interpreter that an extension fits."""
    summed = hashlib.sha256(sysconfig.get_config_var("EXT_SUFFIX").encode())
    for path in sorted(PACKAGE.rglob("*.py")):
        summed.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes())
    return summed.hexdigest()[:16]


def find() -> Path | None:
    """The tree compiled from these very sources, to be put on a worker's PYTHONPATH, or None."""
    tree = _HOME / digest()
    return tree if tree.is_dir() else None


def build() -> Path:
    """Compile; the finished tree appears at once. Raises `RuntimeError` that says what is missing."""
    if find_spec("mypyc") is None or find_spec("setuptools") is None:
        raise RuntimeError("mypyc isn't installed; use the clone's own environment: make compile")
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        raise RuntimeError("no C compiler was found; install one (on Debian: apt-get install gcc) and try again")
    tree = _HOME / digest()
    if tree.is_dir():
        return tree
    _HOME.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_HOME) as scratch:
        work = Path(scratch) / "tree"
        shutil.copytree(PACKAGE, work / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
        names = [f"{PACKAGE.name}/{module}.py" for module in MODULES]
        done = subprocess.run(  # noqa: S603  our own interpreter and file names
            [sys.executable, "-m", "mypyc", *names], cwd=work, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"mypyc failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        shutil.rmtree(work / "build", ignore_errors=True)
        for old in _HOME.iterdir():
            if old != Path(scratch):
                shutil.rmtree(old, ignore_errors=True)
        work.rename(tree)
    return tree


def main() -> int:
    """Exit code 0 with a compiled tree, 1 with the reason why there is none."""
    try:
        print(f"workers will run from {build()}")
    except RuntimeError as error:
        print(f"not compiled: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
