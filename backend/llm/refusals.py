"""What litellm's exceptions mean to our clients: a status, a label, and the provider's own words. Pure."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator, Mapping

import httpx

from .errors import ProviderError
from .guard import BrokenStreamError

#: litellm puts the names of its classes, and of the provider's handler, before what the provider said.
_NAMES = re.compile(r"^(?:litellm\.)?\w+(?:Error|Timeout|Exception)(?:: | -(?: |$)|$)")
#: Advice to people who program with litellm.
_ADVICE = re.compile(
    r"[\s.]*(?:To drop these, set `litellm|File an issue if litellm|Handle with `litellm).*", re.DOTALL
)
#: The longest text of a provider that is passed on; a page of HTML helps nobody.
_LONGEST = 2000


def translated(error: Exception) -> ProviderError:
    """Our error for one of litellm's, by what caused it below litellm, else by the provider's status."""
    error = getattr(error, "original_exception", None) or error
    for cause in _causes(error):
        match cause:
            case BrokenStreamError():
                return ProviderError(f"the provider's answer broke off: {cause}", "answer", 502)
            case httpx.TimeoutException():
                return ProviderError("the provider didn't answer in time", "timeout", 504)
            case httpx.TransportError():
                what = str(cause) or type(cause).__name__
                return ProviderError(f"the connection to the provider failed: {what}", "connection", 502)
            case json.JSONDecodeError():
                return ProviderError("the provider's answer can't be read: it isn't JSON", "answer", 502)
    status = getattr(error, "status_code", None) or 500
    text = message(str(error)) or f"the provider answered {status}"
    after = retry_after(error) if status == 429 else None
    return ProviderError(text, str(status), _ours(status), after)


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _ours(status: int) -> int:
    if status in (401, 403):
        return 401
    if status == 429:
        return 429
    if status in (408, 504):
        return 504
    return 400 if 400 <= status < 500 else 502


def message(text: str) -> str:
    """The provider's words in the text of one of litellm's exceptions; may be empty."""
    text = _ADVICE.sub("", text).strip()
    while (names := _NAMES.match(text)) is not None:
        text = text[names.end() :].strip()
    return (_inner(text) or text)[:_LONGEST]


def _inner(text: str) -> str | None:
    """`error.message` of a JSON body, which may stand as Python writes bytes."""
    if text.startswith(("b'", 'b"')):
        try:
            text = ast.literal_eval(text).decode("utf-8", "replace")
        except (ValueError, SyntaxError):
            return None
    try:
        found = json.loads(text)["error"]
        return str(found["message"]) if isinstance(found, dict) else str(found)
    except (ValueError, KeyError, TypeError):
        return None


def retry_after(error: Exception) -> int | None:
    """Seconds that the provider asks us to wait, if it says so as a number."""
    headers = getattr(error, "litellm_response_headers", None)
    if headers is None:
        headers = getattr(getattr(error, "response", None), "headers", None)
    if not isinstance(headers, Mapping):
        return None
    try:
        seconds = float(headers.get("retry-after") or "")
    except ValueError:
        return None
    return math.ceil(seconds) if 0 <= seconds < 86_400 else None
