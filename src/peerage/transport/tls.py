"""The two SSL contexts of a node: TLS 1.3 only, mutual, trusting nothing but the network CA.

Invariant: a context made here never completes a handshake with a peer that has no leaf of the same network CA.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from peerage.identity.keys import PeerKey
from peerage.identity.network import Network

ALPN: Final = "peerage/1"


class TlsContexts(NamedTuple):
    """One context per role."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def make_contexts(network: Network, key: PeerKey) -> TlsContexts:
    """Build both contexts from the network and this peer's key."""
    authority = network.authority_pem().decode("ascii")
    leaf = network.leaf_pem(key)
    contexts = TlsContexts(
        _context(ssl.PROTOCOL_TLS_SERVER, authority, leaf), _context(ssl.PROTOCOL_TLS_CLIENT, authority, leaf)
    )
    contexts.server.num_tickets = 0  # each link proves both keys anew; tickets would only cost bytes
    return contexts


def _context(protocol: int, authority: str, leaf: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # peers are known by key, not by name; who dials a known id compares it
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority)
    context.set_alpn_protocols([ALPN])
    _load_leaf(context, leaf)
    return context


def _load_leaf(context: ssl.SSLContext, leaf: bytes) -> None:
    """Hand key and certificate to OpenSSL, which reads them from a file only: private, and gone at once."""
    with tempfile.TemporaryDirectory(prefix="peerage-") as folder:
        path = Path(folder) / "leaf.pem"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(leaf)
        context.load_cert_chain(path)
