"""Every error the router can raise, in one tree.

An error that ends as an HTTP answer carries its status and a short ``label`` that metrics count it under, so no
other module maps exceptions to statuses. Messages are for people: what happened, to what, what to do about it.
They never hold a header value, a cookie or a token.
"""

from __future__ import annotations

import errno
from typing import Final

#: Connecting failed for want of descriptors, ports or memory of our own: that says nothing about the other side.
OUR_FAULT: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM))


class RouterError(Exception):
    """Root of the tree. `status` is the HTTP status a client sees, `label` the value metrics and logs use."""

    status = 500
    label = "internal"


class ConfigError(RouterError):
    """A setting is missing, unknown or wrong; the message names the setting, its source and a fix."""

    label = "config"


class StoreError(RouterError):
    """The state file can't be read or written (disk full, locked, not ours)."""

    status = 503
    label = "store"


class TableError(RouterError):
    """The shared table can't be used: other layout version, too small, or a value that doesn't fit."""

    label = "table"


class RequestError(RouterError):
    """The client sent something this proxy won't forward. The connection closes after the answer."""

    status = 400
    label = "bad_request"

    def __init__(self, message: str, status: int = 400, label: str = "bad_request") -> None:
        super().__init__(message)
        self.status = status
        self.label = label


class UpstreamError(RouterError):
    """An upstream failed before or while answering; `label` is the ``kind`` of cutover_upstream_errors_total."""

    status = 502
    label = "upstream"

    def __init__(self, message: str, label: str, status: int = 502) -> None:
        super().__init__(message)
        self.status = status
        self.label = label


class RefusedError(RouterError):
    """An operator's request that isn't allowed or no longer fits; nothing was changed.

    `fields` says what is wrong with which field, for answers with status 422.
    """

    status = 409
    label = "conflict"

    def __init__(self, message: str, status: int, label: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.label = label
        self.fields = fields or {}
