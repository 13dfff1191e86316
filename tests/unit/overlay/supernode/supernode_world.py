"""Supernode overlays that settle quickly, for the tests of this folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from peerage.lab.clock import InlineExecutor
from peerage.overlay.shelf import Shelf
from peerage.overlay.supernode import Role, Setting, SupernodeOverlay, SupernodeRules

RULES = SupernodeRules(crowd=1, uptime=0.0, share=1.0, steady=30.0, idle=60.0, upkeep=2.0, quiet=0.2)
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
