"""``python -m dashboards`` writes the dashboards' JSON to dashboards/grafana, where Grafana is told to look."""

from __future__ import annotations

import json
from pathlib import Path

from .boards.backend import BACKEND
from .boards.comparison import COMPARISON
from .boards.llm import LLM
from .boards.router import ROUTER
from .model import Board, render

FOLDER = Path(__file__).parent / "grafana"
BOARDS = (ROUTER, COMPARISON, BACKEND, LLM)


def text(board: Board) -> str:
    return json.dumps(render(board), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    for board in BOARDS:
        (FOLDER / f"{board.uid}.json").write_text(text(board), "utf-8")


if __name__ == "__main__":
    main()
