"""The commands against a real admin server: what they print, and the exit code of every way to fail."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from starlette.applications import Starlette

from router import supervisor
from router.admin.app import create_app
from router.admin.auth import tokens
from router.admin.server import serve_admin
from router.cli import main
from router.config import Settings
from router.control import Control
from router.drill.faults import FAULTS, Result
from router.errors import StoreError
from router.rollout.driver import Rollouts
from router.store import Store
from router.table import CANARY, Table

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Awaitable[Outcome]]

OPERATION = ["pause", "resume", "promote", "rollback", "abort"]
COMMANDS = ["serve", "status", "weight", "start", *OPERATION, "explain", "audit", "drill", "config", "verify"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cutover.toml and no variables of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in ("CUTOVER_ADMIN_URL", "CUTOVER_ADMIN_TOKEN", "CUTOVER_STATE", "CUTOVER_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    async def run(*arguments: str) -> Outcome:
        def call() -> int:
            try:
                main(arguments)
            except SystemExit as end:
                return int(end.code or 0)
            return 0

        code = await asyncio.to_thread(call)
        printed = capsys.readouterr()
        return Outcome(code, *(_COLOURS.sub("", text) for text in printed))

    return run


@pytest.fixture
async def url(control: Control, rollouts: Rollouts, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A router's admin port; commands find it by variable, and the token beside the state file in the directory."""
    app: Starlette = create_app(control, rollouts, tokens(control.settings), str)
    server = await serve_admin(app, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.address[1]}"
    monkeypatch.setenv("CUTOVER_ADMIN_URL", url)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")  # must not be used
    yield url
    await server.stop()


async def test_weight_is_set_and_read(url: str, run: Run, control: Control) -> None:
    outcome = await run("weight", "12.5", "--why", "try")
    assert outcome == Outcome(0, "canary weight 12.5 % (revision 2)\n", "")
    assert control.percent == 12.5
    assert (await run("weight")).out == outcome.out
    assert json.loads((await run("weight", "--json")).out) == {"percent": 12.5, "revision": 2, "persisted": True}


async def test_a_reason_is_needed(url: str, run: Run, control: Control) -> None:
    outcome = await run("weight", "5")
    assert (outcome.code, control.revision) == (2, 1)
    assert "--why" in outcome.err


@pytest.mark.parametrize(
    ("percent", "code", "said"),
    [("101", 1, "percent: "), ("12.345", 1, "percent: "), ("x", 2, "PERCENT"), ("nan", 2, "PERCENT")],
)
async def test_a_wrong_percentage_is_named(url: str, run: Run, percent: str, code: int, said: str) -> None:
    outcome = await run("weight", percent, "--why", "r")
    assert outcome.code == code
    assert said in outcome.err
    assert "Traceback" not in outcome.err


async def test_a_change_that_is_not_saved_is_said(url: str, run: Run, control: Control, store: Store) -> None:
    await control.set_weight(50, "a", "r")
    await store._connection.execute("PRAGMA query_only = ON")
    lowered = await run("weight", "0", "--why", "rollback")
    assert (lowered.code, "NOT SAVED" in lowered.out) == (0, True)
    raised = await run("weight", "60", "--why", "r")
    assert raised.code == 1
    assert "can't be saved" in raised.err


async def test_status(url: str, run: Run) -> None:
    outcome = await run("status")
    assert outcome.code == 0
    assert "weight 0 %" in outcome.out
    assert json.loads((await run("status", "--json")).out)["percent"] == 0


async def test_audit(url: str, run: Run, control: Control, store: Store) -> None:
    await control.set_weight(5, "operator@::1", "look")
    assert "look" in (await run("audit")).out
    assert json.loads((await run("audit", "--json")).out)["rows"][0]["reason"] == "look"
    assert (await run("audit", "--verify")).out == "the audit trail is intact, 1 rows\n"
    await store._connection.execute("INSERT INTO audit VALUES (3, '', '', '', '', '1', '1', '', '')")
    outcome = await run("audit", "--verify")
    assert (outcome.code, outcome.out) == (1, "")
    assert "tampered with: row 2 is missing" in outcome.err
    assert json.loads((await run("audit", "--verify", "--json")).out)["intact"] is False


class TestToken:
    async def test_a_file_wins_over_the_environment(
        self, url: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CUTOVER_ADMIN_TOKEN", "s3cret")
        refused = await run("weight")
        assert refused.code == 1
        assert "doesn't accept this token" in refused.err
        assert "s3cret" not in refused.err
        assert (await run("weight", "--token-file", str(tmp_path / "cutover.db.token"))).code == 0

    async def test_beside_another_state_file(self, url: str, run: Run, tmp_path: Path) -> None:
        (tmp_path / "cutover.db.token").rename(tmp_path / "else.token")
        missing = await run("weight")
        assert (missing.code, "no token: there is no cutover.db.token" in missing.err) == (2, True)
        assert (await run("weight", "--state", str(tmp_path / "else"))).code == 0

    async def test_a_named_file_must_exist(self, url: str, run: Run) -> None:
        outcome = await run("weight", "--token-file", "none")
        assert outcome == Outcome(2, "", "cutover: --token-file none: no such file\n")

    async def test_a_viewer_may_not_write(
        self, url: str, run: Run, control: Control, rollouts: Rollouts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings = control.settings.model_copy(update={"viewer_token": "viewer"})
        server = await serve_admin(create_app(control, rollouts, tokens(settings), str), "127.0.0.1", 0)
        monkeypatch.setenv("CUTOVER_ADMIN_TOKEN", "viewer")
        outcome = await run("weight", "1", "--why", "r", "--admin-url", f"http://127.0.0.1:{server.address[1]}")
        assert (outcome.code, "operator's is needed" in outcome.err) == (1, True)
        await server.stop()


class TestUnreachable:
    async def test_nobody_listens(self, run: Run, unused_tcp_port: int) -> None:
        outcome = await run("status", "--admin-url", f"http://127.0.0.1:{unused_tcp_port}")
        assert outcome.code == 3
        assert outcome.err == (
            f"cutover: no router at http://127.0.0.1:{unused_tcp_port}: Connection refused; "
            "is `cutover serve` running? --admin-url says where\n"
        )

    @pytest.mark.parametrize("what", ["127.0.0.1:8081", "file:///etc/passwd", "x"])
    async def test_no_url(self, run: Run, what: str) -> None:
        outcome = await run("status", "--admin-url", what)
        assert (outcome.code, "--admin-url http://host:port" in outcome.err) == (2, True)

    @pytest.mark.parametrize(
        ("octets", "code"),
        [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 3),
            (b"SSH-2.0-OpenSSH\r\n", 3),
            (b"HTTP/1.1 502 Bad\r\nContent-Length: 2\r\n\r\nhi", 1),
            (b'HTTP/1.1 502 Bad\r\nContent-Length: 4\r\n\r\n"hi"', 1),
        ],
    )
    async def test_somebody_else_answers(self, run: Run, octets: bytes, code: int) -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(octets)
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        outcome = await run("status", "--admin-url", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        server.close()
        assert outcome.code == code
        assert len(outcome.err.splitlines()) == 1


class TestWatch:
    @pytest.fixture
    def rounds(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """Ctrl-C in the second round."""
        slept: list[float] = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 2:
                raise KeyboardInterrupt

        monkeypatch.setattr("router.watch.time.sleep", sleep)
        return slept

    async def test_json_is_a_line_a_round(self, url: str, run: Run, rounds: list[float]) -> None:
        outcome = await run("status", "--watch", "--json")
        assert (outcome.code, len(outcome.out.splitlines())) == (0, 2)

    async def test_it_is_drawn_again(self, url: str, run: Run, rounds: list[float]) -> None:
        outcome = await run("status", "--watch")
        assert (outcome.code, "weight 0 %" in outcome.out) == (0, True)

    async def test_a_restart_is_waited_for(self, run: Run, rounds: list[float], unused_tcp_port: int) -> None:
        outcome = await run("status", "--watch", "--admin-url", f"http://127.0.0.1:{unused_tcp_port}")
        assert (outcome.code, "trying again every second" in outcome.out) == (0, True)


class TestRollout:
    PLAN = '[[step]]\nname = "some"\npercent = 10\nhold = "1h"\n[[gate]]\nmetric = "health"\n'

    @pytest.fixture
    def plan(self, tmp_path: Path) -> str:
        (tmp_path / "plan.toml").write_text(self.PLAN)
        return "plan.toml"

    async def test_started_and_commanded(self, url: str, run: Run, plan: str, control: Control) -> None:
        started = await run("start", plan, "--why", "go")
        assert (started.code, started.err, control.percent) == (0, "", 10)
        assert "rollout 1 'rollout' running: step 'some' (1 of 2, 10 %)" in started.out
        for command, phase, percent in (
            ("pause", "paused", 10),
            ("resume", "running", 10),
            ("rollback", "rolled_back", 0),
        ):
            outcome = await run(command, "--why", "test", "--json")
            assert (outcome.code, control.percent) == (0, percent)
            assert json.loads(outcome.out)["phase"] == phase
        assert "rolled back: step 'some'" in (await run("status")).out
        refused = await run("resume", "--why", "again")
        assert (refused.code, refused.out) == (1, "")
        assert refused.err == "cutover: the rollout is rolled back; start a new one\n"

    async def test_promote_and_abort(self, url: str, run: Run, plan: str, control: Control) -> None:
        await run("start", plan, "--why", "go")
        assert "step 'watch'" in (await run("promote", "--why", "sure")).out
        assert "aborted" in (await run("abort", "--why", "by hand")).out
        assert control.percent == 10

    async def test_without_a_plan_the_routers_own(self, url: str, run: Run) -> None:
        assert "step 'shadow' (1 of 5, 0 %)" in (await run("start", "--why", "go")).out

    @pytest.mark.parametrize("command", ["start", *OPERATION])
    async def test_a_reason_is_needed(self, url: str, run: Run, control: Control, command: str) -> None:
        outcome = await run(command)
        assert (outcome.code, "--why" in outcome.err, control.revision) == (2, True, 1)

    @pytest.mark.parametrize("command", OPERATION)
    async def test_nothing_to_command(self, url: str, run: Run, command: str) -> None:
        outcome = await run(command, "--why", "r")
        assert (outcome.code, outcome.err) == (1, "cutover: there is no rollout; start one\n")

    @pytest.mark.parametrize("command", ["pause", "explain"])
    async def test_nobody_there(self, run: Run, unused_tcp_port: int, command: str) -> None:
        why = [] if command == "explain" else ["--why", "r"]
        outcome = await run(command, *why, "--admin-url", f"http://127.0.0.1:{unused_tcp_port}")
        assert outcome.code == 3

    @pytest.mark.parametrize(
        ("name", "text", "code", "said"),
        [
            ("p.toml", PLAN + "[[step]]\nname = 'b'\npercent = 5\n", 1, "plan.step: step 'b' lowers the weight"),
            ("p.toml", PLAN.replace("10", "101"), 1, "plan.step.0.percent: Input should be less than"),
            ("p.toml", PLAN.replace("[[gate]]", "[[gates]]"), 2, "p.toml: gates: "),
            ("p.toml", "[[step", 2, "p.toml: "),
            ("p.json", '{"step": [{"name": "a", "percent": 1}], "sept": 1}', 1, "plan.sept: Extra inputs"),
            ("p.json", "{", 2, "p.json: "),
        ],
    )
    async def test_mistakes_in_a_plan(
        self, url: str, run: Run, control: Control, tmp_path: Path, name: str, text: str, code: int, said: str
    ) -> None:
        (tmp_path / name).write_text(text)
        outcome = await run("start", name, "--why", "go")
        assert (outcome.code, outcome.out, control.revision) == (code, "", 1)
        assert outcome.err.startswith(f"cutover: {said}")

    async def test_explain(self, url: str, run: Run, plan: str, rollouts: Rollouts, table: Table) -> None:
        nothing = await run("explain")
        assert (nothing.code, nothing.err) == (1, "cutover: nothing has been decided yet; start a rollout\n")
        await run("start", plan, "--why", "go")
        table.set_up(CANARY, [False])
        await rollouts.tick()
        latest = await run("explain")
        assert latest.code == 0
        assert "decision 2 of rollout 1: rollback in step 'some', weight 0 % from then on" in latest.out
        assert "by router, gate health" in latest.out
        assert "health: fail - no endpoint of the canary is up" in latest.out
        assert "decided again from its evidence: the same" in latest.out
        assert json.loads((await run("explain", "1", "--json")).out)["action"] == "start"
        unknown = await run("explain", "77")
        assert (unknown.code, unknown.err) == (1, "cutover: there is no decision 77\n")
        assert (await run("explain", "x")).code == 2


class TestServe:
    @pytest.fixture
    def served(self, monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
        """Settings that the supervisor was started with, then those after a reload."""
        served: list[Settings] = []

        def fake_run(settings: Settings, reload: Callable[[], Settings]) -> int:
            served.extend((settings, reload()))
            return 7

        monkeypatch.setattr(supervisor, "run", fake_run)
        return served

    async def test_flags_become_settings(self, run: Run, served: list[Settings], tmp_path: Path) -> None:
        (tmp_path / "cutover.toml").write_text("workers = 5\nlog_level = 'WARNING'\n")
        arguments = (
            "serve --listen 127.0.0.1:1 --admin 127.0.0.1:2 --stable http://a --stable http://b --canary http://c"
        )
        outcome = await run(*arguments.split(), "--state", "x.db", "--log-level", "debug", "--log-format", "json")
        assert outcome.code == 7
        settings = served[0]
        assert served[1] == settings
        assert (settings.listen, settings.admin, settings.workers) == ("127.0.0.1:1", "127.0.0.1:2", 5)
        assert (settings.stable, settings.canary) == (("http://a", "http://b"), ("http://c",))
        assert (settings.state, settings.log_level, settings.log_format) == (Path("x.db"), "DEBUG", "json")

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ("", "no stable endpoint; give --stable"),
            ("--stable ftp://a", "--stable: stable: 'ftp://a' is not an upstream"),
            ("--stable http://a --listen 1", "--listen: listen: '1' is not an address"),
            ("--stable http://a --workers 0", "--workers: workers: "),
            ("--stable http://a --config none.toml", "none.toml: no such file"),
        ],
    )
    async def test_wrong_settings_are_two_lines_at_most(
        self, run: Run, served: list[Settings], arguments: str, said: str
    ) -> None:
        outcome = await run("serve", *arguments.split())
        assert (outcome.code, served) == (2, [])
        assert outcome.err.startswith(f"cutover: {said}")
        assert len(outcome.err.splitlines()) <= 2

    async def test_a_failure_at_the_start_is_one_line(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **__: object) -> int:
            raise StoreError("x.db is in use by another router")

        monkeypatch.setattr(supervisor, "run", fail)
        outcome = await run("serve", "--stable", "http://a")
        assert outcome == Outcome(1, "", "cutover: x.db is in use by another router\n")


async def test_config(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_ADMIN_TOKEN", "s3cret")
    (tmp_path / "cutover.toml").write_text("workers = 5\n")
    outcome = await run("config")
    assert "workers = 5" in outcome.out
    assert "s3cret" not in outcome.out
    assert json.loads((await run("config", "--json")).out)["admin_token"] == "(set)"


async def test_demo(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.demo.demo", lambda: 4)
    assert (await run("demo")).code == 4


@pytest.mark.parametrize("detected", [True, False])
async def test_drill(url: str, run: Run, control: Control, monkeypatch: pytest.MonkeyPatch, detected: bool) -> None:
    """What it prints and records; the drill itself is tested beside the API."""
    results = [Result(fault, detected or fault != "hang", 9, 1.5, "errors") for fault in FAULTS]

    def fake_drill(tell: Callable[[Result], None]) -> list[Result]:
        for result in results:
            tell(result)
        return results

    monkeypatch.setattr("router.drill.command.drill", fake_drill)
    outcome = await run("drill", "--why", "before 12")
    assert outcome.code == int(not detected)
    assert len(outcome.out.splitlines()) == 5
    assert ("NOT DETECTED" in outcome.out, "not every fault" in outcome.err) == (not detected, not detected)
    (row,) = await control.audit(1)
    assert (row.action, json.loads(row.after)) == ("drill", {"passed": detected})
    assert len(json.loads((await run("drill", "--json")).out)) == 5
    assert len(await control.audit(9)) == 1


async def test_version(run: Run) -> None:
    outcome = await run("--version")
    assert (outcome.code, outcome.out.split()[0]) == (0, "cutover")


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
async def test_help_tells_the_exit_codes(run: Run, command: list[str]) -> None:
    outcome = await run(*command, "--help")
    assert outcome.code == 0
    assert "Exit codes: 0 done" in outcome.out


@pytest.mark.parametrize("arguments", [["nothing"], ["status", "--nothing"], ["weight", "1", "2"]])
async def test_wrong_usage(run: Run, arguments: list[str]) -> None:
    assert (await run(*arguments)).code == 2


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [(["--help"], 0, "usage: cutover backend"), (["--port", "x"], 2, "CUTOVER_BACKEND_PORT is 'x'")],
)
def test_backend_becomes_the_backend(tmp_path: Path, flags: list[str], code: int, said: str) -> None:
    """In a folder that has a `backend` of its own, too."""
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "__main__.py").write_text("raise SystemExit('the wrong one')")
    command = [sys.executable, "-P", "-m", "router", "backend", *flags]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done
