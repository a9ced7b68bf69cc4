"""Time that stands still until told otherwise, and ready-made settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from router.config import Settings

STABLE_URL, CANARY_URL = "http://127.0.0.1:1001", "http://127.0.0.1:1002"


class FakeClock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def time(self) -> float:
        return 1_800_000_000.0 + self.now

    def monotonic(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def make_settings(folder: Path, **changes: Any) -> Settings:
    fixed = {"state": folder / "cutover.db", "stable": (STABLE_URL,), "canary": (CANARY_URL,), "workers": 1}
    return Settings.model_validate(fixed | changes)
