"""`cutover demo`: a whole canary on this machine in under a minute, with real processes and sockets.

It is a client of the router like any other (its listener and its admin API), so nothing in here may import the
data plane, and nothing of the router may import this, but the command line.
"""

from __future__ import annotations

from .run import demo

__all__ = ["demo"]
