"""Supernode overlays that settle quickly, for the tests of this folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from overlay_world import MemoryWorld

from peerage.lab.clock import InlineExecutor
from peerage.overlay.shelf import Shelf
from peerage.overlay.supernode import Role, Setting, SupernodeOverlay, SupernodeRules

RULES = SupernodeRules(crowd=1, uptime=0.0, share=1.0, steady=30.0, idle=60.0, least_leaves=0, upkeep=2.0, quiet=0.2)
HASTY = msgspec.structs.replace(
    RULES,
    upkeep=0.02,
    quiet=0.001,
    patience=0.2,
    flood=msgspec.structs.replace(RULES.flood, table_delay=0.01, table_interval=0.05),
)


def overlay(shelf: Shelf, *, capable: bool, rules: SupernodeRules = RULES, **setting) -> SupernodeOverlay:
    """Make an overlay of a node that can be a supernode, or can not."""
    chosen = {"reachable": lambda: capable, "executor": InlineExecutor()} | setting
    return SupernodeOverlay(shelf, Setting(**chosen), rules)


def is_settled(node) -> bool:
    """Whether a node is what it will be, and its supernodes know what it shares."""
    one: SupernodeOverlay = node.overlay
    alone = not node.peer.neighbours()
    return alone or one.role is Role.SUPERNODE or (one.role is Role.LEAF and one.settled)


async def until(true: Callable[[], bool], seconds: float = 15.0, step: float = 0.005) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(step)


class SupernodeWorld(MemoryWorld):
    """Nodes in virtual time, some of which can be supernodes, all linked to the first."""

    async def add_node(self, *, capable: bool = False, shelf=None, kind=SupernodeOverlay, rules=RULES, **setting):
        """Add a node, linked to the first one."""
        chosen = {"reachable": lambda: capable, "executor": InlineExecutor()} | setting
        self.make_overlay = lambda made: kind(made, Setting(**chosen), rules)
        node = await self.add(shelf)
        if self.count > 1:
            await self.link(node, self.nodes[0])
        return node

    async def add_supernode(self, **more):
        """Add a node that finds itself elected."""
        node = await self.add_node(capable=True, **more)
        node.overlay._election.serves = True
        return node

    async def settled(self, supernodes: int, leaves: int, rules: SupernodeRules = RULES):
        """Add so many of both, and wait until each leaf has as many supernodes as it can have."""
        for _ in range(supernodes):
            await self.add_supernode(rules=rules)
        for _ in range(leaves):
            await self.add_node(rules=rules)
        await self.rest(supernodes)
        return self.nodes[:supernodes], self.nodes[supernodes:]

    async def rest(self, uplinks: int) -> None:
        """Wait until all have found their place, and told what they have."""
        wanted = min(uplinks, RULES.uplinks)
        await until(lambda: all(_has_place(node, wanted) for node in self.nodes if node.peer.neighbours()), 300.0, 0.5)
        await asyncio.sleep(5)

    def kill(self, node, *, silently: bool = False) -> None:
        """End a node as kill -9 does, or as a power cut does."""
        self.nodes.remove(node)
        self.network.kill(self.hosts[node.peer.peer_id], silently=silently)

    def make_peer(self, key):
        peer = super().make_peer(key)
        self.hosts = getattr(self, "hosts", {}) | {peer.peer_id: self.network.hosts[-1]}
        return peer


def _has_place(node, uplinks: int) -> bool:
    one: SupernodeOverlay = node.overlay
    if one.role is Role.SUPERNODE:
        return one.supernodes >= uplinks - 1
    return one.role is Role.LEAF and one.supernodes == uplinks and one.settled


def run_world(main) -> None:
    """Run `main(world)` in virtual time."""
    SupernodeWorld.run(lambda _shelf: None, main)
