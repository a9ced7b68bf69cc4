"""What loading litellm does to a process: nothing that anybody sees."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

#: Loads litellm as the gateway does, with the network forbidden, and says what changed by it.
PROGRAM = """
import json, logging, os, socket, sys

def forbidden(*arguments, **named):
    tried.append(repr(arguments))
    raise OSError("the network is forbidden")

tried = []
socket.socket.connect = socket.getaddrinfo = socket.create_connection = forbidden
root = logging.getLogger()
before = (list(root.handlers), root.level, dict(os.environ))
from backend.llm import gateway
from backend.llm.playground import PROVIDERS
assert "litellm" not in sys.modules
litellm = gateway._load(tuple(PROVIDERS.values()))
logging.getLogger("LiteLLM").error("must not be seen")
changed = {name for name in os.environ if os.environ[name] != before[2].get(name)} - set(gateway._ENVIRONMENT)
print(json.dumps({
    "tried": tried,
    "root": [list(root.handlers) == before[0], root.level == before[1]],
    "changed": sorted(changed),
    "priced": "gpt-4o" in litellm.model_cost,
    "telemetry": litellm.telemetry,
}))
"""


@pytest.mark.slow
def test_loading_is_silent_and_offline(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FROM_DOTENV=1\nOPENAI_API_KEY=sk-from-dotenv\n")
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    (line,) = ran.stdout.splitlines()
    assert json.loads(line) == {
        "tried": [],
        "root": [True, True],
        "changed": ["TIKTOKEN_CACHE_DIR"],  # where it has tokenizers of its own, so that none is downloaded
        "priced": True,
        "telemetry": False,
    }
