"""The certificate at the door for other computers: it can be renewed while the node runs.

Invariant: certificate and key that do not belong together, or cannot be read, never take the place of those that do;
whoever is connected already stays so.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from peerage.app.config import RemoteSettings
from peerage.app.doors import tls_of
from peerage.app.keys_book import KeyBook


class DoorCertificate:
    """What the door of `remote` shows with `context`; its methods may block."""

    def __init__(self, context: ssl.SSLContext, remote: RemoteSettings, book: KeyBook) -> None:
        self._context = context
        self._remote = remote
        self._book = book
        self._shown = self._there()

    def renew(self) -> bool:
        """Show what is in the files now to whoever comes from now on; returns whether that is another certificate.

        Raises ConfigError when certificate and key do not do; then the one before is still shown.
        """
        there = self._there()
        if there == self._shown:
            return False
        files = tls_of(self._remote, self._book)
        self._context.load_cert_chain(files["ssl_certfile"], files["ssl_keyfile"])
        self._shown = there
        return True

    @property
    def is_outdated(self) -> bool:
        """Whether another certificate is in its file than is shown."""
        return self._there() != self._shown

    def _there(self) -> bytes:
        try:
            return Path(self._remote.certificate).expanduser().read_bytes()
        except OSError:
            return b""
