"""How calls are told to the metrics, which this package doesn't know."""

from __future__ import annotations

from collections.abc import Callable

#: Called after every call with the method's name, the status code's name and the seconds it took.
Observe = Callable[[str, str, float], None]


def ignore(method: str, code: str, seconds: float) -> None:
    pass
