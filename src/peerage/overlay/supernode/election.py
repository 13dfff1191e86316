"""Who is a supernode: every node decides for itself, from what it sees, and nobody is asked.

A node that could be one and finds too few places as a leaf steps up with a small chance, doubled in each round that
brings none; so of any number of nodes in want about one in fifty steps up, places appear, and the others take them. A
supernode with few leaves steps down when enough larger ones have room, of two equals the one with the smaller id;
the largest few therefore stay, and what was too much is corrected by the same rule.
Invariant: a role lasts for a while, unless the node can no longer be reached; nobody serves who could not be dialled,
or is not up to it; and where few peers are known nobody does. Pure: time and random source are arguments (seconds).

Source: Gnutella's ultrapeer election and guidance (Singla and Rohrs, Ultrapeers 1.0, 2002).
"""

from __future__ import annotations

import random
from enum import StrEnum

import msgspec

from peerage.overlay.supernode.rules import Capacity, SupernodeRules


class Role(StrEnum):
    """What a node is to the others."""

    IDLE = "idle"  # neither: the network is small, or no supernode has taken it
    LEAF = "leaf"
    SUPERNODE = "supernode"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a node sees of itself and of the network at one moment."""

    reachable: bool | None  # whether others can dial it; None: not known
    crowd: int  # other peers it knows
    uplinks: int = 0  # supernodes that have taken it as a leaf
    called: bool = False  # a supernode without room has asked for more supernodes
    leaves: int = 0
    larger: int = 0  # linked supernodes with more leaves, and room for some


class Election:
    """The role of one node; it begins, and ends, as no supernode."""

    def __init__(self, rules: SupernodeRules, capacity: Capacity, rng: random.Random, now: float) -> None:
        self._rules = rules
        self._capacity = capacity
        self._rng = rng
        self._began = now
        self._changed: float | None = None
        self._rounds = 0  # in want of a place
        self._uplinks = 0
        self._few_since: float | None = None
        self.serves = False

    def is_capable(self, standing: Standing, now: float) -> bool:
        """Whether the node could be a supernode."""
        rules, capacity = self._rules, self._capacity
        return (
            standing.reachable is True
            and now - self._began >= rules.uptime
            and (not capacity.upload or capacity.upload >= rules.upload)
            and capacity.connections >= rules.connections
        )

    def look(self, standing: Standing, now: float) -> bool:
        """Decide, once a round, whether to be a supernode from now on."""
        decide = self._stays if self.serves else self._steps_up
        serves = decide(standing, now)
        if serves != self.serves:
            self.serves, self._changed = serves, now
            self._rounds, self._few_since = 0, None
        return serves

    def _is_steady(self, now: float) -> bool:
        """Whether the role has lasted as long as it must."""
        return self._changed is None or now - self._changed >= self._rules.steady

    def _steps_up(self, standing: Standing, now: float) -> bool:
        in_want = standing.uplinks < self._rules.uplinks and standing.crowd >= self._rules.crowd
        if not in_want or standing.uplinks > self._uplinks:
            self._rounds = 0
        self._uplinks = standing.uplinks
        if not self.is_capable(standing, now) or not self._is_steady(now):
            return False
        if standing.called:
            return True
        if not in_want:
            return False
        self._rounds += 1
        want = 1 - standing.uplinks / self._rules.uplinks
        chance = want * self._rules.share * 2.0 ** min(self._rounds - 2, 16)
        return self._rounds > 1 and self._rng.random() < chance

    def _stays(self, standing: Standing, now: float) -> bool:
        if standing.reachable is not True or self._capacity.connections < self._rules.connections:
            return False
        if standing.leaves >= self._rules.least_leaves or standing.larger < self._rules.uplinks:
            self._few_since = None
            return True
        if self._few_since is None:
            self._few_since = now
        return now - self._few_since < self._rules.idle or not self._is_steady(now)
