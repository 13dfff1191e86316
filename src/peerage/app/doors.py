"""Where the API may listen: on this computer, or, with TLS and a password, for others.

Invariant: an address that others reach is refused unless nobody gets in without a secret, and nobody listens in; the
sentence says what to do.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from peerage.app.config import Config, RemoteSettings
from peerage.app.home import Home
from peerage.app.keys_book import KeyBook
from peerage.errors import ConfigError
from peerage.identity.address import Address, literal_ip, parse_address


def check_addresses(home: Home, config: Config) -> None:
    """Raise ConfigError when the API could not be served as configured; to be called before a node is opened."""
    check_api_address(config.api)
    if config.remote.listen:
        tls_of(config.remote, open_book(home))


def check_api_address(text: str) -> Address:
    """Read where the API should listen; raises ConfigError unless it is an address of this computer only."""
    address = parse_address(text)
    host = "127.0.0.1" if address.host == "localhost" else address.host
    literal = literal_ip(host)
    if literal is None or not literal.is_loopback:
        raise ConfigError(
            f"the API cannot listen at {text}: it is only for this computer, so choose 127.0.0.1 or [::1] with a port; "
            "for other computers there is the section [remote] of config.toml, with TLS and a password"
        )
    return Address(host, address.port)


def open_book(home: Home) -> KeyBook:
    """Read the keys of a home folder; raises ConfigError. Blocks."""
    book = KeyBook(home.keys_file)
    book.load()
    return book


def tls_of(remote: RemoteSettings, book: KeyBook) -> dict[str, str]:
    """Return certificate and key for other computers; raises ConfigError when these, or a password, are missing."""
    where = f"the API cannot be open to other computers at {remote.listen}"
    if not remote.certificate or not remote.key:
        raise ConfigError(
            f"{where} without TLS: set certificate and key in the section [remote] of config.toml, or no listen"
        )
    if not book.has_password:
        raise ConfigError(f"{where} without a password: set one with `peerage keys password`, then start again")
    files = [str(Path(path).expanduser()) for path in (remote.certificate, remote.key)]
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files)
    except OSError as error:
        raise ConfigError(f"{where}: the certificate {files[0]} and the key {files[1]} do not do: {error}") from error
    return {"ssl_certfile": files[0], "ssl_keyfile": files[1]}
