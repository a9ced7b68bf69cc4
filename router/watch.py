"""`cutover status --watch`: the status once a second, on a terminal in place, else or as JSON line by line."""

from __future__ import annotations

import time

from rich.live import Live
from rich.text import Text

from . import show
from .client import Client, UnreachableError

_EVERY = 1.0


def watch_status(client: Client, as_json: bool) -> None:
    """Print until Ctrl-C. A router that restarts is waited for."""
    try:
        if as_json:
            while True:
                print(show.as_json(client.get("/api/v1/status")), flush=True)
                time.sleep(_EVERY)
        with Live(Text(), auto_refresh=False, screen=False) as live:
            while True:
                live.update(Text(_screen(client)), refresh=True)
                time.sleep(_EVERY)
    except KeyboardInterrupt:
        pass


def _screen(client: Client) -> str:
    try:
        return show.status(client.get("/api/v1/status"))
    except UnreachableError as error:
        return f"{error}\ntrying again every second; Ctrl-C ends"
