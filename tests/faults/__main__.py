"""`python -m tests.faults [pytest's arguments]`: every fault with real processes, and the table of what clients saw."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.exit(pytest.main([str(Path(__file__).parent), "-q", *sys.argv[1:]]))
