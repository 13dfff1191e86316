"""Where a holder can be dialled: what it says itself, and what is to be believed of it.

Invariant: what `reachable` lets pass names one place each, and no place of the listener's own computer unless the
message came from there. Whether anybody answers is not known. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from peerage.identity.address import Address
from peerage.limits import MAX_ADDRESSES

_WILDCARDS: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 -- compared, not bound


def told_addresses(listening: Iterable[Address]) -> tuple[Address, ...]:
    """Return what to tell others about where this node listens; a wildcard becomes "where you see me"."""
    told = (Address("" if each.host in _WILDCARDS else each.host, each.port) for each in listening)
    return tuple(dict.fromkeys(told))[:MAX_ADDRESSES]


def reachable(told: Iterable[Address], remote: Address, *, first_hop: bool) -> tuple[Address, ...]:
    """Return the addresses that may be dialled of those told in a message from `remote`.

    On the first hop, `remote` is the one who listens there, and its host fills the gaps.
    """
    filled = (Address(remote.host, each.port) if first_hop and not each.host else each for each in told)
    usable = (each for each in filled if each.is_dialable and (remote.is_loopback or not each.is_loopback))
    return tuple(dict.fromkeys(usable))
