"""The node at a glance: what `peerage status` shows.

Invariant: it looks and changes nothing, and asks neither disk nor database, as it is asked for often.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from peerage.app.api import models

if TYPE_CHECKING:
    from peerage.app.node import Node


async def status_of(node: Node) -> models.Status:
    """Return how a node is now."""
    listening, reachable_at = node.places
    peer = node.peer
    return models.Status(
        peer_id=node.peer_id,
        listen=str(listening[0]) if listening else "",
        api=node.api,
        remote=node.remote,
        network=node.network.name,
        private=node.network.private,
        peers=len(peer.neighbours()),
        known_peers=peer.number_of_peers(),
        shares=node.sharing.count,
        transfers=node.fetching.unfinished,
        addresses=[str(address) for address in reachable_at],
        rate_down=node.traffic.down.rate,
        rate_up=node.traffic.up.rate,
        home=str(node.home.path),
        pid=os.getpid(),
        version=_version(),
        started=node.started,
        role=node.overlays.role(),
        reachable=node.reachability.reachable,
        overlays=node.overlays.lines(),
        wishes=len(node.wishes.all()),
        classic=str(node.classic.address or ""),
        old_peers=len(node.classic.peers()),
        notices=node.all_notices(),
    )


@cache
def _version() -> str:
    return version("peerage")
