"""A certificate for the listener of every peer, made anew for each run."""

from __future__ import annotations

from pathlib import Path

import trustme


def make_certificate(folder: Path) -> Path:
    """One PEM file with the key and the chain, the form that all peers read; ECDSA P-256, as most sites use."""
    path = folder / "listener.pem"
    if not path.exists():
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        leaf = authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.ECDSA)
        leaf.private_key_and_cert_chain_pem.write_to_path(str(path))
        path.chmod(0o644)  # worthless outside this run, and workers may read it as another user
    return path
