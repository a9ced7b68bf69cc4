"""Puts the demo together: two backends, a router, the story, the screen; and takes all of it away again."""

from __future__ import annotations

import asyncio
import secrets
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

import httpx
import uvloop
from rich.console import Console

from .accounts import Account, open_accounts
from .measure import ARMS, Outcome
from .processes import ROOT, DemoError, Processes, free_port
from .scenario import THINK_SECONDS, Admin, Scenario
from .screen import Screen, summary, table
from .traffic import Traffic

HOST = "127.0.0.1"
WORKERS = 2
ADMIN_TIMEOUT_SECONDS = 10.0
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Router:
    """Where the demo's router listens, and who will come."""

    port: int
    admin: str
    token: str
    accounts: list[Account]


def demo() -> int:
    """Run it; 0 when everything held, 1 when something didn't, 130 when it was interrupted."""
    console = Console()
    started = time.monotonic()
    try:
        with (
            _interruptible(),
            tempfile.TemporaryDirectory(prefix="cutover-demo-") as folder,
            Processes(Path(folder)) as processes,
        ):
            router = _start(processes, console)
            try:
                outcome = _play(router, console, partial(processes.end, "canary"))
            except DemoError as error:
                raise DemoError(f"{error}\n{processes.log_tail('router')}") from None
            failed = bool(outcome.problems())
            log = processes.log_tail("router") if failed else ""
    except DemoError as error:
        Console(stderr=True).print(f"cutover demo: {error}", style="red", soft_wrap=True, highlight=False, markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; everything it started has been stopped")
        return INTERRUPTED
    _conclude(console, outcome, time.monotonic() - started, log)
    return int(failed)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let a termination or a closed terminal end the demo as Ctrl-C does, so that it cleans up."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    # Ctrl-C as well: a shell that starts the demo in the background has it ignored. asyncio.Runner ends its task
    # cleanly where it finds Python's own handler.
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: interrupt, signal.SIGHUP: interrupt}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(processes: Processes, console: Console) -> Router:
    if not (ROOT / "tests" / "standins" / "product.py").is_file():
        raise DemoError("the demo's parts are not in the installed package; run it from a clone")
    secret = secrets.token_urlsafe(32)
    for arm in ARMS:
        processes.start(arm, ["tests.standins.product", "--port", "0", "--name", arm], _backend(arm, secret))
    upstreams = {arm: processes.url_of(arm) for arm in ARMS}
    accounts = open_accounts(list(upstreams.values()))
    port, admin_port, token = free_port(), free_port(), secrets.token_urlsafe(24)
    flags = {
        "--listen": f"{HOST}:{port}",
        "--admin": f"{HOST}:{admin_port}",
        "--stable": upstreams["stable"],
        "--canary": upstreams["canary"],
        "--workers": str(WORKERS),
        "--state": "cutover.db",
    }
    processes.start(
        "router",
        ["router", "serve", *(text for flag in flags.items() for text in flag)],
        {"CUTOVER_ADMIN_TOKEN": token},
    )
    router = Router(port, f"http://{HOST}:{admin_port}", token, accounts)
    processes.wait_until_ready("router", f"{router.admin}/readyz")
    console.print(f"router http://{HOST}:{port} with {WORKERS} workers, admin {router.admin}", highlight=False)
    console.print(f"stable {upstreams['stable']}, canary {upstreams['canary']}", highlight=False)
    return router


def _backend(arm: str, secret: str) -> dict[str, str]:
    """Environment of an arm's backend: databases of its own, the secret that both share."""
    return {
        "JUNJO_SESSION_SECRET": secret,
        "SQLITE_DB_PATH": f"{arm}/app_data.db",
        "DUCKDB_PATH": f"{arm}/otel_data.db",
        "INGESTION_GRPC_ADDRESS": f"{HOST}:1",
        "AUTH_GRPC_LISTEN_ADDRESS": f"{HOST}:0",
    }


def _play(router: Router, console: Console, fault: Callable[[], None]) -> Outcome:
    async def play() -> Outcome:
        headers = {"authorization": f"Bearer {router.token}"}
        async with httpx.AsyncClient(
            base_url=router.admin, headers=headers, timeout=ADMIN_TIMEOUT_SECONDS, trust_env=False
        ) as client:
            traffic = Traffic(HOST, router.port, THINK_SECONDS, router.accounts)
            return await Scenario(Admin(client), traffic, fault=fault).run(screen.show)

    with Screen(console) as screen, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(play())


def _conclude(console: Console, outcome: Outcome, seconds: float, log: str) -> None:
    if console.is_terminal:
        console.print(table(outcome.steps))
    for text in summary(outcome, seconds):
        console.print(text, soft_wrap=True, highlight=False, markup=False)
    if log:
        console.print(f"The end of the router's log:\n{log}", soft_wrap=True, highlight=False, markup=False)
        return
    console.print(_NEXT, soft_wrap=True, highlight=False, markup=False)


_NEXT = """\
The demo's processes have been stopped. With services of your own:
  cutover serve --stable http://127.0.0.1:1323 --canary http://127.0.0.1:8000
  curl -i http://127.0.0.1:8080/ping        X-Cutover-Arm tells who answered
  cutover weight 10 --why "first try"       cutover status --watch
  http://127.0.0.1:8081/metrics             what Prometheus reads"""
