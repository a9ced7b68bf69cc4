"""When two answers are the same to a browser: what record/README.md calls equality, and the differences in words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.contract.steps import Headers, Response

PLAIN = ("content-type", "allow", "location")
#: In place of a value of which only the type counts.
_MASK = "volatile:"


def differences(
    expected: Response, got: Response, volatile: tuple[str, ...] = (), unordered: bool = False
) -> Iterator[str]:
    """One line for each difference; none when a browser can't tell."""
    if expected.status != got.status:
        yield f"status: {got.status}, not {expected.status}"
    for name in sorted({*PLAIN, *_access_control(expected.headers), *_access_control(got.headers)}):
        ours, theirs = values(got.headers, name), values(expected.headers, name)
        if ours != theirs:
            yield f"{name}: {ours}, not {theirs}"
    ours_set, theirs_set = (_listed(values(each.headers, "vary")) for each in (got, expected))
    if ours_set != theirs_set:
        yield f"vary: {sorted(ours_set)}, not {sorted(theirs_set)}"
    ours_cookies, theirs_cookies = (Counter(_cookies(each.headers)) for each in (got, expected))
    if ours_cookies != theirs_cookies:
        yield f"set-cookie: {sorted(ours_cookies.elements())}, not {sorted(theirs_cookies.elements())}"
    yield from _bodies(expected.body, got.body, volatile, unordered)


def values(headers: Headers, name: str) -> list[str]:
    return [value for header, value in headers if header == name]


def _access_control(headers: Headers) -> set[str]:
    return {name for name, _ in headers if name.startswith("access-control-")}


def _listed(lines: list[str]) -> set[str]:
    return {item.strip().lower() for line in lines for item in line.split(",")}


def _cookies(headers: Headers) -> Iterator[str]:
    """Each Set-Cookie as its name and attributes, without value and date."""
    for line in values(headers, "set-cookie"):
        pair, *attributes = line.split(";")
        names = sorted(part.strip() for part in attributes if not part.strip().lower().startswith("expires="))
        dated = "; Expires" if any(part.strip().lower().startswith("expires=") for part in attributes) else ""
        yield "; ".join([pair.partition("=")[0], *names]) + dated


def _bodies(expected: str, got: str, volatile: tuple[str, ...], unordered: bool) -> Iterator[str]:
    try:
        theirs = json.loads(expected, parse_int=float)
    except ValueError:
        if expected != got:
            yield f"body: {got[:300]!r}, not {expected[:300]!r}"
        return
    try:
        ours = json.loads(got, parse_int=float)
    except ValueError:
        yield f"body isn't JSON: {got[:300]!r}"
        return
    for path in volatile:
        ours, theirs = (_masked(tree, path.split(".")) for tree in (ours, theirs))
    if unordered and isinstance(ours, list) and isinstance(theirs, list):
        ours, theirs = (sorted(tree, key=lambda item: json.dumps(item, sort_keys=True)) for tree in (ours, theirs))
    yield from _trees("$", theirs, ours)


def _masked(tree: Any, path: list[str]) -> Any:
    """`tree` with what lies at `path` replaced by the name of its type."""
    if not path:
        return _MASK + type(tree).__name__
    key, *rest = path
    if key == "*" and isinstance(tree, list):
        return [_masked(item, rest) for item in tree]
    if isinstance(tree, dict) and key in tree:
        return tree | {key: _masked(tree[key], rest)}
    return tree


def _trees(path: str, expected: Any, got: Any) -> Iterator[str]:
    if type(expected) is not type(got):
        yield f"{path}: {_short(got)}, not {_short(expected)}"
    elif isinstance(expected, dict):
        for key in sorted(expected.keys() | got.keys()):
            if key not in got:
                yield f"{path}.{key}: missing, not {_short(expected[key])}"
            elif key not in expected:
                yield f"{path}.{key}: {_short(got[key])}, should not be there"
            else:
                yield from _trees(f"{path}.{key}", expected[key], got[key])
    elif isinstance(expected, list):
        if len(expected) != len(got):
            yield f"{path}: {len(got)} items, not {len(expected)}"
        for number, (theirs, ours) in enumerate(zip(expected, got, strict=False)):
            yield from _trees(f"{path}[{number}]", theirs, ours)
    elif expected != got:
        yield f"{path}: {_short(got)}, not {_short(expected)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:117] + "..."
