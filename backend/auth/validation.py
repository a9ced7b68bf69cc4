"""What sign-in refuses before it looks for the user: the rules and texts of go-playground's validator.

Pure. Its e-mail rule is one long regular expression that a hostile address makes slow elsewhere than in Go; the same
language is recognised here in steps that are each linear.
"""

from __future__ import annotations

import re

_WIDE = "\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef"
_ATOM = rf"[a-zA-Z0-9!#$%&'*+\-/=?^_`{{|}}~{_WIDE}]++"
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*+")
#: Between quotes: anything but NUL and line feed, and a folded line where more follows or the text ends.
_QUOTABLE = rf"(?!\r\n)[\x01-\x09\x0b-\x7f{_WIDE}]"
_QUOTED = re.compile(rf'"(?:(?:\r\n[ \t])?{_QUOTABLE})*(?:\r\n[ \t]+)?"')
_DOMAIN = re.compile(rf"[a-zA-Z0-9.~\-{_WIDE}]++")
_ALPHA = rf"[a-zA-Z{_WIDE}]"
_ALNUM = rf"[a-zA-Z0-9{_WIDE}]"
#: Somewhere a label ends and the top-level part begins.
_TOP = re.compile(rf"{_ALNUM}\.{_ALPHA}")
_FIRST, _LAST = re.compile(_ALNUM), re.compile(_ALPHA)


def is_email(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(at) and _is_local(local) and _is_domain(domain.removesuffix("."))


def _is_local(text: str) -> bool:
    return bool(_DOT_ATOM.fullmatch(text) or _QUOTED.fullmatch(text))


def _is_domain(text: str) -> bool:
    return bool(_DOMAIN.fullmatch(text) and _FIRST.match(text) and _LAST.match(text[-1]) and _TOP.search(text))


def sign_in_problems(email: str, password: str) -> list[str]:
    """The validator's lines, none if all is well."""
    problems = []
    if not email:
        problems.append(_problem("Email", "required"))
    elif not is_email(email):
        problems.append(_problem("Email", "email"))
    if not password:
        problems.append(_problem("Password", "required"))
    return problems


def _problem(field: str, rule: str) -> str:
    return f"Key: 'SigninRequest.{field}' Error:Field validation for '{field}' failed on the '{rule}' tag"
