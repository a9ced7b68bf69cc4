"""`cutover verify` as typed, against real services: stand-ins, and two backends on copies of the recorded databases."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from router.cli import main
from tests.backend.processes import running_backend
from tests.contract import cases as product
from tests.contract.steps import RECORD, Record

ROOT = Path(__file__).parents[3]
ITEMS = '{"path": "/api/items"}\n{"path": "/api/items/3"}\n{"path": "/ping"}\n'
#: Each stand-in signs its answers with its name.
SIGNED = '[[rule]]\npath = "$.service"\ntreat = "ignore"\nwhy = "the name of the service"\n'

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def arms() -> Iterator[dict[str, str]]:
    """Two equal services, and one whose data differs."""
    wanted = {"stable": ("stable", "0"), "canary": ("canary", "0"), "seeded": ("canary", "8")}
    with ExitStack() as stack:
        started = {}
        for arm, (name, seed) in wanted.items():
            command = [sys.executable, "-m", "tests.standins.service", "--port", "0", "--name", name, "--seed", seed]
            process = stack.enter_context(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
            stack.callback(process.terminate)
            started[arm] = process
        yield {arm: _announced(process) for arm, process in started.items()}


def _announced(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().split()[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cases.jsonl").write_text(ITEMS)
    (tmp_path / "rules.toml").write_text(SIGNED)
    return tmp_path


class Done(NamedTuple):
    code: int
    out: str
    err: str


Verify = Callable[..., Done]


@pytest.fixture
def verify(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Verify:
    """The command, run in `folder`."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # must not be used

    def run(*arguments: str) -> Done:
        with pytest.raises(SystemExit) as end:
            main(["verify", *arguments, "--confirm-after", "200ms"])
        return Done(int(end.value.code or 0), *capsys.readouterr())

    return run


CASES = ("--cases", "cases.jsonl")
RULES = ("--rules", "rules.toml")


def test_equal_services(arms: dict[str, str], folder: Path, verify: Verify) -> None:
    done = verify(arms["stable"], arms["canary"], *CASES, *RULES)
    assert (done.code, done.err) == (0, "")
    assert "3 cases: 0 differs, 0 warns, 3 same, 0 skipped; nothing blocks" in done.out


def test_a_seeded_difference_is_found_and_named(arms: dict[str, str], folder: Path, verify: Verify) -> None:
    done = verify(arms["stable"], arms["seeded"], *CASES, *RULES, "--json", "r.json", "--html", "r.html")
    assert done.code == 1
    assert "block value         $.items[*].price ×" in done.out
    report = json.loads((folder / "r.json").read_text())
    found = {case["path"]: [each["path"] for each in case["differences"]] for case in report["cases"]}
    assert found == {"/api/items": ["$.items[*].price"], "/api/items/3": ["$.price"], "/ping": []}
    assert "$.items[*].price" in (folder / "r.html").read_text()


def test_a_warning_does_not_block(arms: dict[str, str], folder: Path, verify: Verify) -> None:
    (folder / "rules.toml").write_text(SIGNED + '[default]\nvalue = "warn"\n')
    done = verify(arms["stable"], arms["seeded"], *CASES, *RULES)
    assert (done.code, "2 warns" in done.out) == (0, True)


@pytest.mark.parametrize(
    ("stable", "canary", "arguments", "code", "said"),
    [
        ("stable", "http://127.0.0.1:1", CASES, 3, "canary can't be reached at http://127.0.0.1:1"),
        ("http://127.0.0.1:1", "stable", CASES, 3, "stable can't be reached"),
        ("stable", "canary", (), 2, "--cases"),
        ("stable", "canary", ("--cases", "absent"), 2, "absent: no such file"),
        ("stable", "127.0.0.1:1", CASES, 2, "CANARY: not the URL of a backend"),
        ("stable", "canary", (*CASES, "--timeout", "soon"), 2, "--timeout"),
        ("stable", "canary", (*CASES, "--json", "absent/r.json"), 1, "report can't be written"),
        ("stable", "canary", ("--cases", "writes.jsonl"), 1, "no case could be compared"),
    ],
)
def test_exit_codes(
    arms: dict[str, str],
    folder: Path,
    verify: Verify,
    stable: str,
    canary: str,
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    (folder / "writes.jsonl").write_text('{"method": "POST", "path": "/api/items", "body": "{}"}\n')
    done = verify(arms.get(stable, stable), arms.get(canary, canary), *arguments)
    assert (done.code, said in done.err) == (code, True), done


@pytest.fixture(scope="module")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Two backends, each on its own copy of what the Go backend left."""
    record = Record.load()
    settings = {"JUNJO_SESSION_SECRET": record.secret, **record.phases["1"]}
    with ExitStack() as stack:
        urls = []
        for name in ("stable", "canary"):
            folder = tmp_path_factory.mktemp(name)
            for database in ("sqlite/app_data.db", "duckdb/otel_data.db", "duckdb/otel_data.db.wal"):
                (folder / database).parent.mkdir(exist_ok=True)
                shutil.copy(RECORD / Path(database).name, folder / database)
            urls.append(stack.enter_context(running_backend(folder, **settings)).url)
        yield urls


@pytest.mark.parametrize("path", [product.READS, product.WRITES], ids=["reads", "writes"])
def test_two_real_backends_are_the_same(backends: list[str], folder: Path, verify: Verify, path: Path) -> None:
    """Sessions, keys and times differ between them; nothing that counts does."""
    session = Record.load().sessions()["made_here"]
    done = verify(*backends, "--cases", str(path), "--session", f"session={session}", "--json", "r.json")
    report = json.loads((folder / "r.json").read_text())
    assert done.code == 0, done.out
    assert report["summary"]["same"] == len(report["cases"])
    codes = {case["stable"] for case in report["cases"]}
    assert {"200", "401", "404", "405"} <= codes
    assert session not in done.out + (folder / "r.json").read_text()


def test_an_ended_session_is_no_success(backends: list[str], folder: Path, verify: Verify) -> None:
    users = [line for line in product.READS.read_text().splitlines() if '"/users"' in line]
    (folder / "cases.jsonl").write_text("\n".join(users))
    done = verify(*backends, *CASES, "--session", "ended")
    assert done.code == 1
    assert "is the session good" in done.out
