"""The raw requests of gunicorn's source distribution, taken from PyPI at test time, each with our own outcome.

Many of them are 1.1 without Host, which we refuse for that alone. So each runs as it is and, where that hides
what the file is about, once more with a Host put in.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Mapping

import pytest

from tests.conformance import steps
from tests.conformance.case import check_error
from tests.conformance.corpus.outcomes import TABLE, VERSION, Outcome
from tests.conformance.router import Router

EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
REQUEST_LINE = re.compile(rb"(?:\A|(?<=\r\n))(?=[^\r\n]* HTTP/1\.1\r\n)([^\r\n]*\r\n)")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """`invalid/001` → its bytes. Skips when the package index can't be reached."""
    folder = tmp_path_factory.mktemp("gunicorn")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "gunicorn"]
    command += ["--disable-pip-version-check", "--dest", str(folder), f"gunicorn=={VERSION}"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=90, env=dict(os.environ))
    except (OSError, subprocess.SubprocessError) as problem:
        pytest.skip(f"gunicorn {VERSION}'s source can't be had from the package index: {problem}")
    (archive,) = folder.glob("gunicorn-*.tar.gz")
    found = {}
    with tarfile.open(archive) as members:
        for member in members:
            match = re.search(r"/tests/requests/((?:in)?valid/\w+)\.http$", member.name)
            file = members.extractfile(member) if match else None
            if match and file:
                found[match[1]] = decode(file.read())
    return found


def decode(text: bytes) -> bytes:
    r"""The corpus' notation: line ends are layout, `\r\n`, `\n`, `\t`, `\0` and `\xHH` are bytes."""
    data = text.replace(b"\n", b"").replace(b"\\r\\n", b"\r\n")
    data = data.replace(b"\\0", b"\0").replace(b"\\n", b"\n").replace(b"\\t", b"\t")
    return re.sub(rb"\\x([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), data)


def with_host(data: bytes) -> bytes:
    """`Host: h` behind every 1.1 request line of a file that has none at all."""
    if re.search(rb"\r\nhost *:", data, re.IGNORECASE):
        return data
    return REQUEST_LINE.sub(rb"\1Host: h\r\n", data)


def test_every_file_has_an_outcome(corpus: Mapping[str, bytes]) -> None:
    assert set(corpus) == set(TABLE)


@pytest.mark.parametrize("name", list(TABLE))
def test_outcome(corpus: Mapping[str, bytes], router: Router, name: str) -> None:
    data, hosted = corpus[name], with_host(corpus[name])
    converse(router, hosted, TABLE[name])
    if hosted != data:
        converse(router, data, without_host(data, TABLE[name]))


def without_host(data: bytes, outcome: Outcome) -> Outcome:
    """Where a Host had to be put in, the first 1.1 request without it is refused."""
    first = data.lstrip(b"\r\n").split(b"\r\n")[0]
    if first.endswith(b" HTTP/1.1"):
        return Outcome("-|400|405|414|431|501|505")
    return Outcome(outcome.statuses.replace(" 200", " 400"))


def converse(router: Router, data: bytes, outcome: Outcome) -> None:
    router.stable.play([steps.serve(EMPTY)])
    expected = [step.split("|") for step in outcome.statuses.split(" ")]
    served = 0
    with router.connect() as client:
        client.send(data)
        if "-" in expected[0]:
            client.finish()
        for allowed in expected:
            answer = client.answer()
            if not answer.line:
                assert "-" in allowed, f"closed without an answer, expected {allowed}"
                break
            assert str(answer.status) in allowed or ("-" in allowed and answer.status in (400, 408)), answer.raw
            if answer.status == 200:
                served += 1
            else:
                check_error(answer)
        if "-" not in expected[0]:
            client.finish()
        extra = client.rest()
        assert extra == b"" or extra.startswith(b"HTTP/1.1 4"), f"more than expected: {extra!r}"
    router.stable.finish()
    assert router.stable.problems == []
    assert [request.complete for request in router.stable.requests() if request.complete] == [True] * served
