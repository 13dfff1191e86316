"""Supernodes as a world of the model: leaves hand their records to three of them, which flood among themselves.

How many there are and that the elections have ended is taken as given; all else follows the rules of
overlay/supernode/rules.py. Invariant: what supernodes do is a flood over their own network (flooding.py), in which they
are numbered from 0; leaves appear only as those who ask and for whom somebody answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from peerage.lab.measure import Load
from peerage.lab.model.asking import Answer, Bounds, Reader
from peerage.lab.model.contents import Contents
from peerage.lab.model.earth import Earth
from peerage.lab.model.keyword_tables import KeywordTables
from peerage.lab.model.leaves import Sessions
from peerage.lab.model.lists import Bools, Floats, Ints, Lists, distinct, within
from peerage.lab.model.meshes import backbone, components
from peerage.lab.model.randomness import source
from peerage.lab.model.sizes import FloodSizes, flood_sizes
from peerage.lab.model.spec import ModelSpec
from peerage.lab.model.tally import Done, Receipts
from peerage.lab.model.workload import Query
from peerage.limits import MAX_SEARCH_TTL, SUPERNODE_SPARE
from peerage.overlay.flood.state import FloodRules
from peerage.overlay.supernode.rules import SupernodeRules

_TAKEN: Final = 0.75  # share of the places for leaves that are taken, in settled worlds of 3,000 and 10,000 real nodes
_CELLS: Final = 32_000_000  # of one search at one supernode, in one batch: seven bytes each
_AT_ONCE: Final = 100  # searches: the records that answer a popular one are 150,000, three supernodes for each holder


class _Shelves(msgspec.Struct, frozen=True):
    """What supernodes answer with (keyword_tables.Shelves)."""

    vocabulary: int
    count: int
    with_word: Lists
    holders: Lists
    held: Ints


class SupernodeWorld:
    """Supernodes, their leaves, and the network among the former."""

    def __init__(self, spec: ModelSpec, contents: Contents, alive: Bools) -> None:
        rng = source(spec.seed, "network")
        self.role = SupernodeRules()
        self.by_holder = True
        self.rules: FloodRules = self.role.flood
        self.spec = spec
        self.seed = spec.seed
        self.stride = spec.nearest
        self.sizes: FloodSizes = flood_sizes()
        self.earth = Earth(spec)
        self.seats = self._elected(rng, alive)
        self.peers = len(self.seats)
        self.number_of = np.full(spec.peers, -1, dtype=np.int64)  # among the supernodes
        self.number_of[self.seats] = np.arange(self.peers)
        self.uplinks = self._attached(rng)
        self.network = self._linked(rng)
        self.contents = contents
        self.alive = alive
        self._holders = self._handed_over(contents)
        held = np.bincount(self._holders.values, minlength=self.peers)
        shelves = _Shelves(contents.vocabulary, contents.count, contents.with_word, self._holders, held)
        self._tables = KeywordTables(shelves, self.network, self.rules.table_depth)
        self._answering: dict[int, dict[int, frozenset[int]]] = {}  # of a query: the records at each supernode
        self._told: dict[int, frozenset[int]] = {}  # of a search: the records that were told before it began

    # --- a world of the model (overlays.py) -------------------------------------------------------------------------

    @property
    def at_once(self) -> int:
        """As many as fit into memory."""
        return max(1, min(_AT_ONCE, _CELLS // self.peers))

    def run(self, queries: Sequence[Query], receipts: Receipts) -> list[Done]:
        """Run queries."""
        return Sessions(self, queries, receipts).run()

    def links_of_peers(self) -> Load:
        """Return the links that are held: those of leaves, and those among supernodes."""
        count = self.alive.sum() - self.peers
        leaves = float(count * self.role.uplinks)
        among = float(self.network.lengths().sum())
        links = np.bincount(self.uplinks[self.alive & (self.number_of < 0)].ravel(), minlength=self.peers)
        most = float((links + self.network.lengths()).max())
        return Load(mean=(2 * leaves + among) / float(self.alive.sum()), busiest=most)

    def components(self) -> int:
        """Return into how many parts the network of supernodes falls."""
        return components(self.network, np.ones(self.peers, dtype=np.bool_))

    # --- what a flood asks (flooding.Waters) --------------------------------------------------------------------------

    @property
    def depth(self) -> int:
        """How many links tables cover."""
        return self.rules.table_depth

    def near(self, words: tuple[int, int]) -> list[Ints]:
        """Return whom it makes sense to ask with ttl 1."""
        return self._tables.near(words)

    def answers(self, query: Query) -> tuple[Ints, Ints, Bools]:
        """Return who answers a query, with how many records, and whether the item that is meant is among them."""
        records = self.records(query)
        peers = np.array(sorted(records), dtype=np.int64)
        counts = np.array([min(len(records[peer]), self.spec.wanted) for peer in peers.tolist()], dtype=np.int64)
        return peers, counts, within(distinct(self._holders.row(query.item)), peers)

    def bounds(self, query: Query) -> Bounds:
        """Return what the search of a supernode may do: how many there are, it knows."""
        told = len(self._told[query.number])
        return Bounds(self.spec.wanted, self.spec.deadline, MAX_SEARCH_TTL, self.peers, min(told, self.spec.wanted))

    def reader(self, query: Query) -> Reader:
        """Return what takes each record once, whichever supernode tells it."""
        records, known = self.records(query), set(self._told[query.number])

        def read(answer: Answer) -> int:
            fresh = records[answer.source] - known
            known.update(fresh)
            return len(fresh)

        return read

    def links(self, peer: int) -> Ints:
        """Return the linked supernodes of one."""
        return self.network.row(peer)

    def degree(self, peer: int) -> int:
        """Return how many links one has."""
        return int(self.network.starts[peer + 1] - self.network.starts[peer])

    def expand(self, peers: Ints) -> tuple[Ints, Ints]:
        """Return the linked supernodes of many."""
        return self.network.expand(peers)

    def latency(self, here: Ints, there: Ints) -> Floats:
        """Return the seconds between supernodes."""
        return self.earth.latency(self.seats[here], self.seats[there])

    # --- what their leaves ask ----------------------------------------------------------------------------------------

    def records(self, query: Query) -> dict[int, frozenset[int]]:
        """Return the records that answer a query, by supernode; a record is a number for holder and item."""
        found = self._answering.get(query.number)
        if found is None:
            contents = self.contents
            items = contents.matching(*query.words)
            places, holders = contents.holders.expand(items)
            there = self.alive[holders] & (holders != query.asker)
            records = (items[places].astype(np.int64) * self.spec.peers + holders)[there]
            holders = holders[there]
            at: dict[int, set[int]] = {}
            for record, holder in zip(records.tolist(), holders.tolist(), strict=True):
                for supernode in self.serving(holder):
                    at.setdefault(supernode, set()).add(record)
            found = self._answering[query.number] = {peer: frozenset(some) for peer, some in at.items()}
        return found

    def serving(self, peer: int) -> list[int]:
        """Return the supernodes that answer for a peer: itself, if it is one."""
        own = int(self.number_of[peer])
        return [own] if own >= 0 else self.uplinks[peer].tolist()

    def begin(self, query: Query, told: frozenset[int]) -> None:
        """Say which records a search finds where it begins."""
        self._told[query.number] = told

    def forget(self, query: Query) -> None:
        """A query is over."""
        self._answering.pop(query.number, None)
        self._told.pop(query.number, None)

    # --- building -----------------------------------------------------------------------------------------------------

    def _elected(self, rng: np.random.Generator, alive: Bools) -> Ints:
        """Choose who are supernodes: so many that there are places for all leaves."""
        there = np.flatnonzero(alive)
        count = max(self.role.uplinks, round(len(there) * self.role.uplinks / (_TAKEN * self.role.leaves)))
        return np.sort(rng.choice(there, count, replace=False))

    def _attached(self, rng: np.random.Generator) -> Ints:
        """Return the supernodes of every peer, as if it were a leaf; all different."""
        chosen = rng.integers(0, self.peers - np.arange(self.role.uplinks), (self.spec.peers, self.role.uplinks))
        for column in range(1, self.role.uplinks):
            before = np.sort(chosen[:, :column], axis=1)
            for earlier in range(column):
                chosen[:, column] += chosen[:, column] >= before[:, earlier]
        return chosen.astype(np.int32)

    def _linked(self, rng: np.random.Generator) -> Lists:
        return backbone(rng, self.peers, self.role.degree, SUPERNODE_SPARE)

    def _handed_over(self, contents: Contents) -> Lists:
        """Return the supernodes that answer with each item; one that knows several holders is there once."""
        places, holders = contents.holders.expand(np.arange(contents.count))
        own = self.number_of[holders]
        leaf = np.flatnonzero((own < 0) & self.alive[holders])
        itself = np.flatnonzero(own >= 0)
        keys = np.concatenate(
            (
                np.repeat(places[leaf], self.role.uplinks) * self.peers + self.uplinks[holders[leaf]].ravel(),
                places[itself] * self.peers + own[itself],
            )
        )
        keys = distinct(keys.astype(np.int64))
        return Lists.grouped(keys // self.peers, (keys % self.peers).astype(np.int32), contents.count)
