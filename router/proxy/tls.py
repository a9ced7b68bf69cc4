"""TLS contexts from the settings: the listener's, and the one towards https:// upstreams."""

from __future__ import annotations

import ssl

from ..config import Tls
from ..errors import ConfigError


def listener_context(tls: Tls) -> ssl.SSLContext | None:
    """Server context, or None for plain HTTP; `ConfigError` names the file that can't be used."""
    if tls.cert is None or tls.key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(tls.cert, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"tls.cert {tls.cert}, tls.key {tls.key}: {error}") from None
    return context


def upstream_context(tls: Tls) -> ssl.SSLContext:
    """Client context; verifies names and chains unless tls.upstream_verify is false."""
    try:
        context = ssl.create_default_context(cafile=tls.upstream_ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"tls.upstream_ca {tls.upstream_ca}: {error}") from None
    context.set_alpn_protocols(["http/1.1"])
    if not tls.upstream_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
