"""What a node is started with, once flags and configuration are put together.

Invariant: what is given goes before what the file says; what is None leaves it alone.
"""

from __future__ import annotations

import msgspec

from peerage.app.config import Config
from peerage.app.overlays import named_indexes
from peerage.identity.address import Address, parse_address
from peerage.identity.network import Network


def overridden(config: Config, listen: str | None, network: str | Network | None, lan: bool | None) -> Config:  # noqa: FBT001 -- None is a third value
    """Return the configuration with what was given put in."""
    given = {"listen": listen, "network": network.name if isinstance(network, Network) else network, "lan": lan}
    return msgspec.structs.replace(config, **{name: value for name, value in given.items() if value is not None})


def addresses_to_join(config: Config) -> list[Address]:
    """Return the peers to connect to at every start; raises AddressError."""
    return [*map(parse_address, config.connect), *named_indexes(config)[1]]
