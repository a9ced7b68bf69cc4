"""The generated code is what `make proto` makes of proto/, and speaks the product's own package and names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from backend.rpc.pb import auth_pb2, ingestion_pb2

ROOT = Path(__file__).parents[3]
PB = Path("backend/rpc/pb")


def test_the_generated_code_is_current(tmp_path: Path) -> None:
    """As the Makefile says it, into another folder; if this fails: make proto."""
    sources = [f"{PB}/{path.name}" for path in (ROOT / "proto").glob("*.proto")]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PB}=proto"]
    outputs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    subprocess.run([*command, *outputs, *sources], cwd=ROOT, check=True)
    made = {path.name: path.read_text() for path in (tmp_path / PB).iterdir()}
    there = {path.name: path.read_text() for path in (ROOT / PB).glob("*_pb2*")}
    assert made == there


def test_the_wire_form() -> None:
    """Field numbers, written out by hand: what the unchanged ingestion service sends and reads."""
    assert ingestion_pb2.ReadSpansRequest(start_key_ulid=b"k", batch_size=300).SerializeToString() == b"\n\1k\x10\xac\2"
    answer = ingestion_pb2.ReadSpansResponse.FromString(b"\n\1k\x12\1s\x1a\1r")
    assert (answer.key_ulid, answer.span_bytes, answer.resource_bytes) == (b"k", b"s", b"r")
    assert auth_pb2.ValidateApiKeyRequest.FromString(b"\n\3key").api_key == "key"
    assert auth_pb2.ValidateApiKeyResponse(is_valid=True).SerializeToString() == b"\x08\1"
    [reading] = ingestion_pb2.DESCRIPTOR.services_by_name.values()
    [auth] = auth_pb2.DESCRIPTOR.services_by_name.values()
    assert [reading.full_name, auth.full_name] == [
        "ingestion.InternalIngestionService",
        "ingestion.InternalAuthService",
    ]
