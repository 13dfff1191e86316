"""A node of a supernode network as a process of its own: `NUMBER [HOST PORT]`, the address of one that is there.

It shares one file's record, and answers each line on stdin with a JSON object on stdout: `status`, or `search WORDS`.
"""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop
from blake3 import blake3

from peerage.catalogue.database import Database
from peerage.catalogue.record import Description, Record
from peerage.errors import PeerageError
from peerage.identity.address import Address
from peerage.overlay.base import SearchRequest
from peerage.overlay.flood.state import FloodRules
from peerage.overlay.shelf import CatalogueShelf
from peerage.overlay.supernode import Setting, SupernodeOverlay, SupernodeRules
from peerage.peer.membership import Membership
from peerage.peer.open import open_peer
from peerage.peer.reachability import Reachability

RULES = SupernodeRules(
    crowd=3,
    uptime=1.0,
    share=0.1,
    steady=5.0,
    least_leaves=0,
    upkeep=1.0,
    quiet=0.2,
    flood=FloodRules(max_ttl=4, table_depth=1, table_interval=1.0, table_delay=0.1, own_rate=50.0, own_burst=50.0),
)


def say(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


async def search(overlay: SupernodeOverlay, text: str) -> None:
    try:
        async with overlay.search(SearchRequest(text=text, wanted=1, deadline=8.0)) as running:
            found = [hit.record.name async for hit in running]
    except PeerageError as error:
        say(error=str(error))
    else:
        say(found=found, asked=running.cost.peers_asked, seconds=running.cost.seconds)


async def main(number: str, known: list[Address]) -> None:
    async with open_peer() as peer:
        database = await Database.open(None, peer.peer_id)
        name = f"tune number{number}.flac"
        described = Description(content=blake3(name.encode()).digest(), name=name, size=1000, mime="audio/flac")
        record = Record.sign(peer.key, described, int(peer.clock.time()))
        await database.add_own([record])
        membership, reachability = Membership(), Reachability()
        setting = Setting(reachable=lambda: reachability.reachable)
        overlay = SupernodeOverlay(CatalogueShelf(database, peer.peer_id), setting, RULES)
        for service in (membership, reachability, overlay):
            await peer.mount(service)
        await overlay.publish([record])
        say(address=[peer.addresses[0].host, peer.addresses[0].port])
        await membership.join(known)
        while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
            if line == "status":
                linked = overlay.supernodes
                say(role=overlay.role, leaves=overlay.leaves, supernodes=linked, settled=overlay.settled)
            else:
                await search(overlay, line.removeprefix("search "))
        await database.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], [Address(sys.argv[2], int(sys.argv[3]))] if len(sys.argv) > 2 else []))
