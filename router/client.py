"""Asking a running router over its admin API, for the operator commands. Standard library only: it has to start fast.

Every failure is an error with a line for people and an exit code; the token never is in either.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from .errors import ConfigError, RouterError

_TIMEOUT = 10.0

_EXPLAINED = {
    401: "the router doesn't accept this token; give --token-file, or set CUTOVER_ADMIN_TOKEN",
    403: "this is a viewer's token; the operator's is needed",
}


class CommandError(RouterError):
    """A command that didn't work out; `exit_code` is what the process ends with."""

    label = "command"
    exit_code = 1


class UnreachableError(CommandError):
    """Nobody answers at the admin URL, or somebody who isn't a router."""

    label = "unreachable"
    exit_code = 3


@dataclass(frozen=True, slots=True)
class Token:
    """The token for a command; without one, `missing` says where it was looked for."""

    value: str
    missing: str = ""


def find_token(token_file: Path | None, state: Path, environ: Mapping[str, str]) -> Token:
    """From `token_file`, else the environment, else the file beside the state file."""
    if token_file is None and environ.get("CUTOVER_ADMIN_TOKEN"):
        return Token(environ["CUTOVER_ADMIN_TOKEN"])
    path = token_file or state.with_name(state.name + ".token")
    try:
        return Token(path.read_text("ascii").strip())
    except FileNotFoundError:
        if token_file is None:
            fix = "give --token-file or --state, or set CUTOVER_ADMIN_TOKEN"
            return Token("", f"no token: there is no {path}; {fix}")
        raise ConfigError(f"--token-file {path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"no token: {path}: {error}") from None


class Client:
    """One router's admin API."""

    def __init__(self, url: str, token: Token) -> None:
        self._url = url.rstrip("/")
        self._token = token
        # No proxy from the environment: the token is for this router only.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str) -> Any:
        return self._ask("GET", path)

    def put(self, path: str, body: Any) -> Any:
        return self._ask("PUT", path, json.dumps(body).encode())

    def post(self, path: str, body: Any) -> Any:
        return self._ask("POST", path, json.dumps(body).encode())

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        headers = {"Content-Type": "application/json"}
        if self._token.value:
            headers["Authorization"] = f"Bearer {self._token.value}"
        try:
            request = urllib.request.Request(self._url + path, body, headers, method=method)  # noqa: S310
            if request.type not in ("http", "https"):
                raise ValueError
        except ValueError:
            raise ConfigError(f"{self._url!r} is not a URL; write --admin-url http://host:port") from None
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 401 and self._token.missing:
                    raise ConfigError(self._token.missing) from None
                raise CommandError(_explain(error.code, error.read())) from None
        except urllib.error.URLError as error:
            reason = getattr(error.reason, "strerror", None) or error.reason
            raise UnreachableError(
                f"no router at {self._url}: {reason}; is `cutover serve` running? --admin-url says where"
            ) from None
        except OSError as error:
            raise UnreachableError(f"no answer from {self._url}: {error or type(error).__name__}") from None
        except (ValueError, HTTPException):
            raise UnreachableError(f"what answers at {self._url} is not a router's admin port") from None


def _explain(status: int, body: bytes) -> str:
    if status in _EXPLAINED:
        return _EXPLAINED[status]
    try:
        error = json.loads(body)["error"]
        lines = [f"{name}: {problem}" for name, problem in error.get("fields", {}).items()]
        return "\n".join(lines) or str(error["message"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return f"the router answered {status}"
