"""Opens this node's ears, and its network.

Invariant: a place that the owner chose is taken or refused, never exchanged for another; only the default port gives
way to the next free one, and says so.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final, NamedTuple

from peerage.app.config import DEFAULT_API_PORT, DEFAULT_PORT, Config
from peerage.errors import ConfigError, DialError
from peerage.identity.address import Address, parse_address
from peerage.identity.network import PUBLIC_NETWORK, Network
from peerage.peer.peer import Peer

_SECRET_BYTES: Final = 64 * 1024
_NEXT_PORTS: Final = (*range(DEFAULT_API_PORT + 1, DEFAULT_API_PORT + 20), 0)  # the same ones at every start


class Heard(NamedTuple):
    """Where the node listens, and a sentence when that is not what was to be expected."""

    addresses: tuple[Address, ...]
    notice: str = ""


async def listen(peer: Peer, config: Config) -> Heard:
    """Listen as the configuration says; raises AddressError or DialError when that cannot be."""
    if not config.listen:
        return Heard(())
    wanted = parse_address(config.listen)
    try:
        return Heard(await peer.listen(wanted))
    except DialError:
        if config.listen != Config().listen:
            raise
    for port in _NEXT_PORTS:
        with contextlib.suppress(DialError):
            found = await peer.listen(Address(wanted.host, port))
            return Heard(found, f"port {DEFAULT_PORT} is taken; this node listens at port {found[0].port} instead")
    raise DialError("no port is free to listen at")


def open_network(config: Config) -> Network:
    """Return the network of the configuration; blocks for 0.2 s when it is private."""
    if not config.secret_file:
        return Network.public(config.network)
    name = config.network if config.network != PUBLIC_NETWORK else "private"
    return Network.from_secret(read_secret(Path(config.secret_file).expanduser()), name)


def read_secret(path: Path) -> bytes:
    """Read the secret of a private network: the file without the line end; raises ConfigError."""
    try:
        with path.open("rb") as file:
            secret = file.read(_SECRET_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read the network secret {path}: {error.strerror}") from error
    if len(secret) > _SECRET_BYTES:
        raise ConfigError(f"{path} is larger than {_SECRET_BYTES} bytes; that is no network secret")
    return secret.rstrip(b"\r\n")
