"""The commands of `cutover`: what can be typed, what it is called, and what comes back as exit code.

Commands import what they need when they run, so that `cutover status` starts fast. Nothing is decided here: serving
is supervisor.py's, asking a running router is client.py's, and how answers look is show.py's business.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

_EPILOG = "Exit codes: 0 done; 1 refused or failed; 2 wrong usage or configuration; 3 the router can't be reached."

app = typer.Typer(
    name="cutover",
    help="Canary router: splits traffic between two arms, stable and canary, and moves it step by step.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Config = Annotated[Path | None, typer.Option("--config", help="cutover.toml to read", metavar="FILE")]
State = Annotated[Path | None, typer.Option("--state", help="state file: weight, routes, audit", metavar="FILE")]
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


def main() -> None:
    """Run a command. Our own errors become lines on stderr and an exit code, never a traceback."""
    from .errors import ConfigError, RouterError

    try:
        app()
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
