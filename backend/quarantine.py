"""`cutover backend quarantine list|replay`: asks the backend that runs, else opens the file itself."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import urllib.error
import urllib.request
from typing import Any

from .config import Settings
from .duck import Duck
from .errors import BackendError
from .ingest.quarantine import Quarantine

_TIMEOUT = 600.0


def main(arguments: list[str], settings: Settings) -> int:
    """Exit code: 0 done, 1 it can't be read, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="cutover backend quarantine",
        description="Spans that could not be stored. Settings as of the backend; CUTOVER_ADMIN_TOKEN as it has it.",
    )
    parser.add_argument("what", choices=["list", "replay"])
    parser.add_argument("--backend", metavar="URL", help="a running backend; without it DUCKDB_PATH is opened here")
    flags = parser.parse_args(arguments)
    try:
        if flags.backend:
            found = _asked(flags.backend, flags.what, settings)
        else:
            found = asyncio.run(_here(flags.what, settings))
    except BackendError as error:
        print(f"cutover backend quarantine: {error}; is it a backend that runs? then give --backend", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2))
    return 0


def _asked(url: str, what: str, settings: Settings) -> Any:
    token = settings.admin_token.get_secret_value() if settings.admin_token else ""
    path, method = ("/admin/quarantine", "GET") if what == "list" else ("/admin/quarantine/replay", "POST")
    try:
        request = urllib.request.Request(  # noqa: S310
            url.rstrip("/") + path, method=method, headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            raise BackendError(f"{url} answered {error.code}: {error.read().decode(errors='replace')[:300]}") from None
    except (OSError, ValueError) as error:
        raise BackendError(f"no backend answers at {url}: {error}") from None


async def _here(what: str, settings: Settings) -> Any:
    if not settings.duckdb_path.exists():
        raise BackendError(f"there is no {settings.duckdb_path}")
    async with Duck() as duck:
        await duck.open(settings.duckdb_path)
        quarantine = Quarantine(duck)
        if what == "replay":
            return await quarantine.replay()
        return {"total": await quarantine.count(), "entries": await quarantine.list()}
