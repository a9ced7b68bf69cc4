"""The commands of `cutover`: what can be typed, what it is called, and what comes back as exit code.

Commands import what they need when they run, so that `cutover status` starts fast. Nothing is decided here: serving
is supervisor.py's, asking a running router is client.py's, and how answers look is show.py's business.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from enum import Enum
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from .client import Client

_EPILOG = "Exit codes: 0 done; 1 refused or failed; 2 wrong usage or configuration; 3 the router can't be reached."

app = typer.Typer(
    name="cutover",
    help="Canary router: splits traffic between two arms, stable and canary, and moves it step by step.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Config = Annotated[Path | None, typer.Option("--config", help="cutover.toml to read", metavar="FILE")]
State = Annotated[Path | None, typer.Option("--state", help="state file: weight, routes, audit", metavar="FILE")]
StateBeside = Annotated[
    Path,
    typer.Option(
        "--state", envvar="CUTOVER_STATE", help="the router's state file; the token is beside it", metavar="FILE"
    ),
]
AdminUrl = Annotated[
    str,
    typer.Option("--admin-url", envvar="CUTOVER_ADMIN_URL", help="admin port of the router", metavar="URL"),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        help="file with the token; else CUTOVER_ADMIN_TOKEN, else the file beside the state file",
        metavar="FILE",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON for machines")]

_ADMIN_URL = "http://127.0.0.1:8081"
_STATE = Path("cutover.db")

Why = Annotated[str | None, typer.Option("--why", help="reason, kept in the audit trail", metavar="TEXT")]


class Arm(Enum):
    CANARY = "canary"
    STABLE = "stable"


#: Rows that `audit` prints.
_AUDIT_ROWS = 50


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command. Our own errors become lines on stderr and an exit code, never a traceback."""
    from .errors import ConfigError, RouterError

    try:
        app(arguments, prog_name="cutover")
    except RouterError as error:
        print(f"cutover: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ConfigError) else getattr(error, "exit_code", 1))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        from .version import VERSION

        print(f"cutover {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="print it")] = False,
) -> None:
    pass


@app.command(epilog=_EPILOG)
def serve(
    listen: Annotated[str | None, typer.Option(help="where clients connect", metavar="HOST:PORT")] = None,
    admin: Annotated[str | None, typer.Option(help="where operators connect", metavar="HOST:PORT")] = None,
    stable: Annotated[list[str] | None, typer.Option(help="endpoint of stable; repeatable", metavar="URL")] = None,
    canary: Annotated[list[str] | None, typer.Option(help="endpoint of canary; repeatable", metavar="URL")] = None,
    workers: Annotated[int | None, typer.Option(help="worker processes; one a core", metavar="N")] = None,
    state: State = None,
    config: Config = None,
    log_level: Annotated[str | None, typer.Option(help="DEBUG, INFO, WARNING or ERROR")] = None,
    log_format: Annotated[str | None, typer.Option(help="text or json")] = None,
) -> None:
    """Run the router until SIGTERM; SIGHUP reloads the configuration and replaces the workers."""
    from . import supervisor
    from .config import Settings, load
    from .errors import ConfigError

    flags: dict[str, Any] = {
        "listen": listen,
        "admin": admin,
        "stable": stable or None,
        "canary": canary or None,
        "workers": workers,
        "state": state,
        "log_level": log_level.upper() if log_level else None,
        "log_format": log_format,
    }

    def settings() -> Settings:
        loaded = load(flags, os.environ, config)
        if not loaded.stable:
            raise ConfigError("no stable endpoint; give --stable http://host:port")
        return loaded

    raise typer.Exit(supervisor.run(settings(), reload=settings))


@app.command(epilog=_EPILOG)
def status(
    watch: Annotated[bool, typer.Option("--watch", help="again every second, until Ctrl-C")] = False,
    as_json: Json = False,
    admin_url: AdminUrl = _ADMIN_URL,
    token_file: TokenFile = None,
    state: StateBeside = _STATE,
) -> None:
    """Weight, traffic, latency, errors and workers of a running router."""
    from . import show

    client = _client(admin_url, token_file, state)
    if watch:
        from .watch import watch_status

        watch_status(client, as_json)
        return
    tree = client.get("/api/v1/status")
    print(show.as_json(tree) if as_json else show.status(tree))


@app.command(epilog=_EPILOG)
def weight(
    percent: Annotated[
        float | None, typer.Argument(metavar="PERCENT", help="share of users for the canary; without it, print it")
    ] = None,
    why: Why = None,
    as_json: Json = False,
    admin_url: AdminUrl = _ADMIN_URL,
    token_file: TokenFile = None,
    state: StateBeside = _STATE,
) -> None:
    """Print the canary's weight, or set it, in steps of 0.01."""
    from . import show

    client = _client(admin_url, token_file, state)
    if percent is None:
        tree = client.get("/api/v1/weight")
    elif not isfinite(percent):
        raise typer.BadParameter("must be a number from 0 to 100", param_hint="PERCENT")
    else:
        tree = client.put("/api/v1/weight", {"percent": percent, "reason": _reason(why)})
    print(show.as_json(tree) if as_json else show.weight(tree))


@app.command(epilog=_EPILOG)
def start(
    plan: Annotated[
        Path | None,
        typer.Argument(metavar="PLAN", help="TOML or JSON; without it, the plan of the router's cutover.toml"),
    ] = None,
    why: Why = None,
    as_json: Json = False,
    admin_url: AdminUrl = _ADMIN_URL,
    token_file: TokenFile = None,
    state: StateBeside = _STATE,
) -> None:
    """Start a rollout: steps, gates, and rollback by itself."""
    from . import show
    from .planfile import read

    body = {"reason": _reason(why)} if plan is None else {"reason": _reason(why), "plan": read(plan)}
    tree = _client(admin_url, token_file, state).post("/api/v1/rollouts", body)
    print(show.as_json(tree) if as_json else show.rollout(tree))


def _command(name: str, text: str) -> None:
    """Make the operator command `name`, which asks the API for the same."""

    def command(
        why: Why = None,
        as_json: Json = False,
        admin_url: AdminUrl = _ADMIN_URL,
        token_file: TokenFile = None,
        state: StateBeside = _STATE,
    ) -> None:
        from . import show

        body = {"reason": _reason(why)}
        tree = _client(admin_url, token_file, state).post(f"/api/v1/rollout/{name}", body)
        print(show.as_json(tree) if as_json else show.rollout(tree))

    command.__doc__ = text
    app.command(name, epilog=_EPILOG)(command)


_command("pause", "Hold the step; the weight stays, and critical gates still roll back.")
_command("resume", "Go on after a pause.")
_command("promote", "Go to the next step now, whatever is missing.")
_command("rollback", "Send everybody back to stable, now.")
_command("abort", "End the rollout and leave the weight as it is.")


@app.command(epilog=_EPILOG)
def explain(
    number: Annotated[int | None, typer.Argument(metavar="ID", help="a decision; without it, the latest")] = None,
    as_json: Json = False,
    admin_url: AdminUrl = _ADMIN_URL,
    token_file: TokenFile = None,
    state: StateBeside = _STATE,
) -> None:
    """Why the rollout did what it did, decided again from the evidence."""
    from . import show
    from .client import CommandError

    client = _client(admin_url, token_file, state)
    if number is None:
        rows = client.get("/api/v1/decisions?limit=1")["rows"]
        if not rows:
            raise CommandError("nothing has been decided yet; start a rollout")
        number = rows[0]["id"]
    tree = client.get(f"/api/v1/decisions/{number}/explain")
    print(show.as_json(tree) if as_json else show.explanation(tree))


@app.command(epilog=_EPILOG)
def audit(
    verify: Annotated[bool, typer.Option("--verify", help="check that no row was changed or removed")] = False,
    as_json: Json = False,
    admin_url: AdminUrl = _ADMIN_URL,
    token_file: TokenFile = None,
    state: StateBeside = _STATE,
) -> None:
    """Who changed what, when and why; the newest rows first."""
    from . import show

    client = _client(admin_url, token_file, state)
    if not verify:
        tree = client.get(f"/api/v1/audit?limit={_AUDIT_ROWS}")
        print(show.as_json(tree) if as_json else show.audit(tree["rows"]))
        return
    outcome = client.get("/api/v1/audit/verification")
    if as_json:
        print(show.as_json(outcome))
    elif outcome["intact"]:
        print(f"the audit trail is intact, {outcome['rows']} rows")
    if not outcome["intact"]:
        from .client import CommandError

        raise CommandError(f"the audit trail was tampered with: {outcome['problem']}")


@app.command("config", epilog=_EPILOG)
def config_command(config: Config = None, as_json: Json = False) -> None:
    """Print the settings in force as a cutover.toml, without secrets."""
    from . import config_reference, show
    from .config import load

    settings = load({}, os.environ, config)
    print(show.as_json(config_reference.public(settings)) if as_json else config_reference.effective(settings))


@app.command(epilog=_EPILOG)
def demo() -> None:
    """A whole canary on this machine in under a minute: backends, traffic, weights up and back."""
    from .demo import demo as run

    raise typer.Exit(run())


@app.command(epilog=_EPILOG)
def verify(
    stable: Annotated[str, typer.Argument(metavar="STABLE", help="URL of the backend that serves today")],
    canary: Annotated[str, typer.Argument(metavar="CANARY", help="URL of the one to compare with it")],
    cases: Annotated[list[Path], typer.Option("--cases", help="requests, JSON lines; repeatable", metavar="FILE")],
    session: Annotated[
        str | None,
        typer.Option(
            "--session", envvar="CUTOVER_VERIFY_SESSION", help="value of ${session} in cases", metavar="COOKIE"
        ),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--rules", help="what doesn't count, TOML or JSON", metavar="FILE")
    ] = None,
    confirm_after: Annotated[
        str, typer.Option("--confirm-after", help="until a difference is asked again", metavar="TIME")
    ] = "6s",
    timeout: Annotated[str, typer.Option("--timeout", help="for each whole answer", metavar="TIME")] = "30s",
    json_file: Annotated[Path | None, typer.Option("--json", help="write a JSON report", metavar="FILE")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="write an HTML report", metavar="FILE")] = None,
) -> None:
    """Ask two backends the same and compare their answers."""
    from .verify.command import Options, verify

    options = Options(stable, canary, cases, rules, session, confirm_after, timeout, json_file, html_file)
    raise typer.Exit(verify(options))


@app.command(epilog=_EPILOG)
def drill(
    why: Annotated[
        str | None,
        typer.Option("--why", help="record the outcome in the running router, with this reason", metavar="TEXT"),
    ] = None,
    as_json: Json = False,
    admin_url: AdminUrl = _ADMIN_URL,
    token_file: TokenFile = None,
    state: StateBeside = _STATE,
) -> None:
    """Try the rollback: faults in a synthetic canary behind a router of its own; exit 0 if all are detected."""
    from .drill.command import print_drill

    print_drill(_client(admin_url, token_file, state), why, as_json)


def _reason(why: str | None) -> str:
    if not why:
        raise typer.BadParameter("say why; it is kept in the audit trail", param_hint="--why")
    return why


@app.command(epilog=_EPILOG)
def handover(
    to: Annotated[Arm, typer.Option(help="who has the DuckDB file then")],
    backend: Annotated[str, typer.Option(help="the canary's backend itself, not the router", metavar="URL")],
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", help="file with the backend's token; else CUTOVER_ADMIN_TOKEN", metavar="FILE"),
    ] = None,
    wait: Annotated[float, typer.Option(help="seconds until it counts as failed")] = 3600,
) -> None:
    """Hand the DuckDB file from one backend to the other.

    To the canary: stop the stable backend first, it has the file as long as it runs. To stable: start it afterwards.
    """
    from .client import find_token
    from .errors import ConfigError
    from .handover import hand_over

    if token_file is None and not os.environ.get("CUTOVER_ADMIN_TOKEN"):  # the router's own token isn't for others
        raise ConfigError("no token; give --token-file, or set CUTOVER_ADMIN_TOKEN to what the backend has")
    token = find_token(token_file, _STATE, os.environ).value
    hand_over(to.value, backend, token, wait=wait, say=print)


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="Its flags and exit codes: cutover backend --help",
)
def backend(context: typer.Context) -> None:
    """Run the Python backend, the canary's program."""
    # The other product takes this process over: neither imports the other. -P: not a folder of that name in here.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "backend", *context.args])  # noqa: S606


def _client(admin_url: str, token_file: Path | None, state: Path) -> Client:
    from .client import Client, find_token

    return Client(admin_url, find_token(token_file, state, os.environ))
