"""The version of this program, from the installed package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("cutover")
except PackageNotFoundError:  # a source tree that was never installed
    VERSION = "0+unknown"
