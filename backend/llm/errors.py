"""What can go wrong between a prompt and its answer. Texts are scrubbed of keys before they get here."""

from __future__ import annotations

from ..errors import BackendError


class ProviderError(BackendError):
    """A provider refused, failed or kept silent; the text is the provider's own where there is one.

    `label` is OpenTelemetry's error.type: a status of the provider, or timeout, connection, answer.
    """

    key = "error"

    def __init__(self, text: str, label: str, status: int = 500, retry_after: int | None = None) -> None:
        super().__init__(text)
        self.label = label
        self.status = status
        self.retry_after = retry_after
