"""The providers' keys and addresses out of the settings, and the last guard that no text carries a key out."""

from __future__ import annotations

from pydantic import SecretStr

from ..config import Settings
from .native.provider import Provider

HIDDEN = "***"


class Keys:
    """Keys and base addresses by a provider's name."""

    def __init__(self, settings: Settings) -> None:
        self._keys: dict[str, SecretStr | None] = {
            "openai": settings.openai_key,
            "anthropic": settings.anthropic_key,
            "gemini": settings.gemini_key,
        }
        self._bases = {
            "openai": settings.openai_url,
            "anthropic": settings.anthropic_url,
            "gemini": settings.gemini_url,
        }

    def key(self, provider: Provider) -> str | None:
        """None if it isn't set."""
        found = self._keys[provider.name]
        return found.get_secret_value() if found is not None else None

    def base(self, provider: Provider) -> str:
        """The address of the provider's API, without a slash at its end."""
        return self._bases[provider.name].rstrip("/")

    def scrubbed(self, text: str) -> str:
        """`text` without any key: a provider may echo the one that it refuses."""
        for key in self._keys.values():
            if key is not None:
                text = text.replace(key.get_secret_value(), HIDDEN)
        return text
