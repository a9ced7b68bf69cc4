"""What `cutover verify` does: files in, requests out, reports and an exit code."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from ..client import CommandError
from ..durations import seconds
from ..errors import ConfigError
from ..shadow.rules import Rules
from .ask import Backend, checked_url, session_value
from .cases import Case
from .files import read_cases, read_rules
from .page import html
from .report import as_tree, show
from .run import Verification, Verifier


@dataclass(frozen=True, slots=True)
class Options:
    """What was typed; times as people write them."""

    stable: str
    canary: str
    cases: Sequence[Path]
    rules: Path | None = None
    session: str | None = None
    confirm_after: str = "6s"
    timeout: str = "30s"
    json: Path | None = None
    html: Path | None = None


def verify(options: Options) -> int:
    """Run it, print the table, write the reports; 0 if nothing blocks, else 1.

    Raises:
        ConfigError: a file, a URL or a time is wrong.
        UnreachableError: a side can't be reached.
        CommandError: no case could be compared, or a report can't be written.
    """
    cases, rules = read_cases(options.cases), read_rules(options.rules)
    verification = asyncio.run(_run(options, cases, rules))
    show(verification, Console(highlight=False))
    if options.json is not None:
        _write(options.json, json.dumps(as_tree(verification), indent=2, ensure_ascii=False) + "\n")
    if options.html is not None:
        _write(options.html, html(verification))
    if not verification.compared:
        raise CommandError("no case could be compared, which proves nothing; the remarks say why each was skipped")
    return 1 if verification.count("differs") else 0


async def _run(options: Options, cases: Sequence[Case], rules: Rules) -> Verification:
    stable, canary = checked_url("STABLE", options.stable), checked_url("CANARY", options.canary)
    confirm_after = _seconds(options.confirm_after, "--confirm-after")
    timeout = _seconds(options.timeout, "--timeout")
    host = stable.netloc.decode("ascii")
    sides = (Backend(name, str(url), host, timeout) for name, url in (("stable", stable), ("canary", canary)))
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(side.opened()) for side in sides]
        if options.session is not None:
            for side in (one, other):
                side.values["session"] = session_value(options.session)
        verifier = Verifier(one, other, rules, lambda: asyncio.sleep(confirm_after))
        return Verification(options.stable, options.canary, await verifier.run(cases))


def _seconds(text: str, option: str) -> float:
    try:
        return float(seconds(text))
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8", "replace")
    except OSError as error:
        raise CommandError(f"the report can't be written: {path}: {error.strerror}") from None
