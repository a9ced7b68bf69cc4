"""`python -m backend`, also `cutover backend`: the flags, the settings, the server."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .config import load
from .errors import ConfigError


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 after a signal, 1 if it can't start, 2 for a wrong flag or setting."""
    parser = argparse.ArgumentParser(
        prog="cutover backend",
        description="The Python backend. Its settings are environment variables, listed in docs/backend.md.",
        epilog="cutover backend quarantine list|replay: the spans that could not be stored",
    )
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["quarantine"]:
        return _quarantine(arguments[1:])
    parser.add_argument("--host", help="address of the HTTP port (default 0.0.0.0)")
    parser.add_argument("--port", help="HTTP port (default 8000; 0 takes a free one)")
    flags = parser.parse_args(arguments)
    try:
        settings = load(vars(flags), os.environ)
    except ConfigError as error:
        print(f"cutover backend: {error}", file=sys.stderr)
        return 2
    from .server import run

    return run(settings)


def _quarantine(arguments: list[str]) -> int:
    from .quarantine import main as quarantine

    try:
        # The secret of the sessions isn't needed here.
        settings = load({}, {"JUNJO_SESSION_SECRET": "unused", **os.environ})
    except ConfigError as error:
        print(f"cutover backend quarantine: {error}", file=sys.stderr)
        return 2
    return quarantine(arguments, settings)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is closed by now. Taking the interpreter apart, too, makes duckdb's binding print pages about "leaks".
    os._exit(code)
