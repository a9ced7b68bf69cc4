"""Keeping secrets out of examples: by the name of the place, and by what a value looks like.

Better one id too many hidden than one token shown: examples are for finding a difference, its path says where.
"""

from __future__ import annotations

import re

#: An example is no longer than this.
EXAMPLE = 120
#: Of a long text only this much is looked at; what is shown is a part of it, so no token is cut out of sight.
_WINDOW = 64 * 1024

_NAMES = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|(^|[_.-])key$|(?-i:[a-z]Key$)|api_?key|session|csrf|xsrf|auth|cookie|credential"
    r"|signature|^key$",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[A-Za-z0-9_+/=-]{20,}")
_BEARER = re.compile(r"\b(Bearer|Basic)\s+\S+", re.IGNORECASE)
#: In JSON, forms, queries and cookies. Bounded repeats: no input makes it slow.
_NAMED = re.compile(
    r"((?:password|passwd|secret|token|key|session|csrf|auth|cookie|credential|signature)[\w-]{0,20}\"?\s{0,4}[:=]\s{0,4}\"?)"
    r"([^\s\"&;,}]+)",
    re.IGNORECASE,
)


def looks_secret(text: str) -> bool:
    """Long and mixed enough to be an id or a token."""
    return bool((found := _TOKEN.search(text)) and _mixed(found[0]))


def scrubbed(text: str) -> str:
    """`text` with everything that may be a secret replaced by its length."""
    text = _BEARER.sub(lambda match: f"{match[1]} {_hidden(match[0])}", text[:_WINDOW])
    text = _NAMED.sub(lambda match: match[1] + _hidden(match[2]), text)
    return _TOKEN.sub(lambda match: _hidden(match[0]) if _mixed(match[0]) else match[0], text)


def example(name: str, text: str) -> str:
    """`text` found under the key or field `name`, short and without secrets."""
    return shortened(_hidden(text) if _NAMES.search(name) else scrubbed(text))


def shortened(text: str) -> str:
    return text if len(text) <= EXAMPLE else text[: EXAMPLE - 1] + "…"


def _mixed(word: str) -> bool:
    """Words and dotted names have no digits among their letters; dates and numbers no letters."""
    return any(map(str.isdigit, word)) and any(map(str.isalpha, word))


def _hidden(text: str) -> str:
    return f"‹{len(text)} hidden›"
