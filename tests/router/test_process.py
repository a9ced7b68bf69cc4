"""What /proc says of this very process, and of none."""

from __future__ import annotations

import os
import resource
import time

from router.process import usage


def test_this_process() -> None:
    found = usage(os.getpid())
    assert found is not None
    spent = resource.getrusage(resource.RUSAGE_SELF)
    assert 0 <= found.cpu <= spent.ru_utime + spent.ru_stime + 1
    assert 10 * 2**20 < found.resident <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + 2**26
    assert found.files >= 3
    assert 0 < found.started <= time.time() + 1


def test_no_process() -> None:
    assert usage(2**22 + 1) is None
