"""`cutover handover`: asks the canary's backend to take the DuckDB file over, or to let it go, and waits until it has.

Standard library only, as client.py. The backend is another program: all that is known of it here is two requests.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

from .client import CommandError, UnreachableError
from .errors import ConfigError

#: Who has the file then → the role of the canary's backend.
ROLES = {"canary": "owner", "stable": "follower"}
_NEXT = {
    "canary": "The canary's backend has the file. The stable backend can't start until it is handed back.",
    "stable": "The file is free: start the stable backend now. Until it runs, spans are only in the canary's replica.",
}
_PAUSE = 0.2
_TIMEOUT = 10.0


def hand_over(to: str, url: str, token: str, *, wait: float, say: Callable[[str], None]) -> None:
    """Returns when the file is handed over; `say` is told each step.

    Raises:
        CommandError: it was refused, failed, or took longer than `wait` seconds (then it may still go on).
    """
    role = ROLES[to]
    state = _ask(url, token, {"to": role})
    deadline = time.monotonic() + wait
    step = ""
    while state["step"] != "resting":
        if state["step"] != step:
            step = state["step"]
            say(step)
        if time.monotonic() > deadline:
            raise CommandError(
                f"not done after {wait:g} s, step {step}; it goes on: ask again, or look at {url}/health"
            )
        time.sleep(_PAUSE)
        state = _ask(url, token)
    if state["role"] != role:
        raise CommandError(f"the backend stays {state['role']}: {state['failure'] or 'another hand-over came between'}")
    say(_NEXT[to])


def _ask(url: str, token: str, body: dict[str, str] | None = None) -> Any:
    address = f"{url.rstrip('/')}/admin/handover"
    data = None if body is None else json.dumps(body).encode()
    # No proxy from the environment: the token is for this backend only.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        request = urllib.request.Request(address, data, {"Authorization": f"Bearer {token}"})  # noqa: S310
        if request.type not in ("http", "https"):
            raise ValueError
    except ValueError:
        raise ConfigError(f"{url!r} is not a URL; write --backend http://host:port") from None
    try:
        with opener.open(request, timeout=_TIMEOUT) as response:
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            raise CommandError(_explain(error.code, error.read())) from None
    except urllib.error.URLError as error:
        reason = getattr(error.reason, "strerror", None) or error.reason
        raise UnreachableError(f"no backend at {url}: {reason}; --backend says where") from None
    except (OSError, ValueError, HTTPException) as error:
        raise UnreachableError(f"no answer from a backend at {url}: {error or type(error).__name__}") from None


def _explain(status: int, body: bytes) -> str:
    try:
        return f"the backend answered {status}: {json.loads(body)['message']}"
    except (ValueError, LookupError, TypeError):
        return f"the backend answered {status}; is it the Python backend, and not the router or the stable one?"
