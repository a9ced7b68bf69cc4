"""Makes a failing case smaller: pieces are joined and bytes taken out as long as it still fails. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.fuzz.mutate import OK, REQUEST, Case

#: How often a case is tried; shrinking is for the reader's sake, not a search for the smallest.
TRIES = 150


def shrink(case: Case, fails: Callable[[Case], bool]) -> Case:
    """A smaller case that fails as well, or `case` itself (also when it doesn't fail again)."""
    budget = [TRIES]

    def still(candidate: Case) -> bool:
        budget[0] -= 1
        return budget[0] >= 0 and fails(candidate)

    if len(case.send) > 1 and still(case.whole()):
        case = case.whole()
    if len(case.send) == 1:
        case = replace(case, send=(_reduce(case.bytes, lambda data: still(replace(case, send=(data,)))),))
    first = b"".join(case.answers[0])
    if case.kind == REQUEST:
        plain = replace(case, answers=((OK,),))
        return plain if still(plain) else case
    if still(replace(case, answers=((first,), *case.answers[1:]))):
        first = _reduce(first, lambda data: still(replace(case, answers=((data,), *case.answers[1:]))))
        case = replace(case, answers=((first,), *case.answers[1:]))
    return case


def _reduce(data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """Without every run of bytes, from long to short, that isn't needed to fail."""
    size = len(data) // 2
    while size:
        start = 0
        while start < len(data):
            shorter = data[:start] + data[start + size :]
            if fails(shorter):
                data = shorter
            else:
                start += size
        size //= 2
    return data
