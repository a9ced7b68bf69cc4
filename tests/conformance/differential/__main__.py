"""`python -m tests.conformance.differential`: write docs/differences.md from the cases."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.differential.page import page

(Path(__file__).parents[3] / "docs" / "differences.md").write_text(page(), "utf-8")
