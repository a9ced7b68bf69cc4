"""Every error the backend can raise, in one tree.

An error that ends as an HTTP answer carries its status, the JSON `key` its text goes under (the Go backend answers
``{"message": …}`` from its framework and ``{"error": …}`` from its own handlers, and clients see the difference), and
a short ``label`` for metrics. Texts that clients see are those of the recorded contract. No text holds a secret.
"""

from __future__ import annotations


class BackendError(Exception):
    """Root of the tree. `status` is what a client sees, `label` what metrics and logs use."""

    status = 500
    label = "internal"
    key = "message"
    #: Seconds after which a client may try again, or None.
    retry_after: int | None = None


class ConfigError(BackendError):
    """A setting is missing or wrong; the message names the variable and a fix."""

    label = "config"


class StartError(BackendError):
    """The backend can't start: a port is taken, a file isn't ours; the message says what to do."""

    label = "start"


class RequestError(BackendError):
    """A request that is answered with `status` and the text, as ``{"message": text}``."""

    label = "request"

    def __init__(self, status: int, text: str, label: str = "request") -> None:
        super().__init__(text)
        self.status = status
        self.label = label


class HandlerError(RequestError):
    """The same as ``{"error": text}``: the failures that Go's own handlers word."""

    key = "error"


class DatabaseBusyError(BackendError):
    """Another process held the database longer than we wait. Nothing was written; the client may repeat."""

    status = 503
    label = "busy"
    key = "error"
    retry_after: int | None = 1


class DatabaseError(BackendError):
    """The database can't be read or written (disk full, corrupt, not ours)."""

    status = 503
    label = "database"
    key = "error"
    retry_after: int | None = 5


class BadSpanError(BackendError):
    """A stored span that can't become rows; the text is the reason that its quarantine shows, without its content."""

    status = 422
    label = "bad_span"


class IngestionError(BackendError):
    """Spans can't be read from the ingestion service. It keeps them, so nothing is lost."""

    status = 502
    label = "ingestion"


class IngestionAwayError(IngestionError):
    """Nobody answers at the ingestion service's address, or it went away while it sent."""

    label = "away"


class IngestionTimeoutError(IngestionError):
    """The ingestion service didn't finish a batch in time."""

    label = "timeout"
