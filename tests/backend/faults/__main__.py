"""`python -m tests.backend.faults --rounds 50`: kills the backend while spans flow; exit 1 if anything is lost."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.backend.faults.flow import Flow, kill_again_and_again

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.backend.faults")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Flow(Path(folder)) as flow:
        wrong = kill_again_and_again(flow, options.rounds, options.seed)
    print(wrong or "nothing lost, nothing doubled")
    sys.exit(bool(wrong))
