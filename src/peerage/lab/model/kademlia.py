"""The hash table of the model: ids, everybody's routing table, and who keeps what, all worked out when it is asked.

A routing table is a function of its owner's id: of the peers that belong into a bucket, as many as it holds are picked
by a hash of owner, bucket and place, the same ones every time. No table of a million is ever held in memory.
Invariant: a peer's number is the place of its id in the order of all ids. Tables are those of a network that has
settled: a bucket has as many contacts as there are, up to its size.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from peerage.lab.model.lists import Bools, Ints
from peerage.lab.model.randomness import scrambled, source
from peerage.lab.model.spec import ModelSpec
from peerage.overlay.dht.rules import DhtRules

ID_BITS: Final = 64  # of the 256: enough for a million to be apart
Ids = NDArray[np.uint64]

_CHUNK: Final = 4096  # questions answered together: some 20 MB
_SMALL: Final = 64  # peers for one bucket below which each is looked at
_NOBODY: Final = -1
_FAR: Final = np.uint64(2**64 - 1)


class Asked(NamedTuple):
    """Questions: which peer is asked for which point, and by whom."""

    peers: Ints
    targets: Ids
    askers: Ints

    def part(self, start: int, end: int) -> Asked:
        """Return some of them."""
        return Asked(self.peers[start:end], self.targets[start:end], self.askers[start:end])


class Kademlia:
    """The ids and routing tables of all peers."""

    def __init__(self, spec: ModelSpec, alive: Bools, rules: DhtRules) -> None:
        ids = source(spec.seed, "ids").integers(0, 2**ID_BITS, spec.peers, dtype=np.uint64)
        self.ids: Ids = np.sort(ids)
        self.rules = rules
        self.alive = alive
        self._seed = np.uint64(spec.seed)
        self._depth = int(np.log2(spec.peers)) + 6  # buckets; what is deeper goes into the last
        self._radius = int(2**ID_BITS / max(1, int(alive.sum())) * rules.region)

    def key_of(self, word: int) -> int:
        """Return the point at which what is posted under a word is kept."""
        return int(scrambled(np.array([word], dtype=np.uint64) ^ (self._seed << np.uint64(40)))[0])

    def closest(self, asked: Asked) -> list[Ints]:
        """Return for each question the contacts of whom is asked that are nearest to its target, but for the asker."""
        answers: list[Ints] = []
        for start in range(0, len(asked.peers), _CHUNK):
            chunk = asked.part(start, start + _CHUNK)
            contacts = self._contacts(chunk.peers)
            contacts[contacts == chunk.askers[:, None]] = _NOBODY
            far = np.where(contacts == _NOBODY, _FAR, self.ids[contacts] ^ chunk.targets[:, None])
            nearest = np.argpartition(far, self.rules.bucket - 1, axis=1)[:, : self.rules.bucket]
            found = np.take_along_axis(contacts, nearest, axis=1)
            answers += [row[row != _NOBODY] for row in found]
        return answers

    def keepers(self, key: int) -> Ints:
        """Return the peers that keep what is stored under a key: those of its region, alive when it was stored."""
        most = self.rules.region_max
        shared = 0
        while shared < ID_BITS - 1:  # the smallest prefix of the key that enough peers have
            low, high = self._range(key, shared + 1)
            if high - low < 2 * most:
                break
            shared += 1
        low, high = self._range(key, shared)
        peers = np.arange(low, high)
        distances = self.ids[low:high] ^ np.uint64(key)
        order = np.argsort(distances)
        inside = int((distances <= np.uint64(min(self._radius, 2**ID_BITS - 1))).sum())
        return peers[order[: min(most, max(self.rules.region_min, inside))]]

    # --- inside -----------------------------------------------------------------------------------------------------

    def _range(self, key: int, shared: int) -> tuple[int, int]:
        """Return from where to where the peers are whose ids share so many bits with a key."""
        loose = ID_BITS - shared
        low = key >> loose << loose
        high = low + (1 << loose) - 1
        begin = int(np.searchsorted(self.ids, np.uint64(low)))
        return begin, int(np.searchsorted(self.ids, np.uint64(high), side="right"))

    def _contacts(self, peers: Ints) -> Ints:
        """Return the whole tables of some peers, a row for each; _NOBODY where a bucket has room left."""
        places = self.rules.bucket
        table = np.full((len(peers), self._depth * places), _NOBODY, dtype=np.int64)
        own = self.ids[peers]
        for bucket in range(self._depth):
            last = bucket == self._depth - 1  # takes all that share as many bits or more, the owner left out below
            bit = np.uint64(ID_BITS - 1 - bucket + last)
            low = (own >> bit ^ np.uint64(not last)) << bit
            begin = np.searchsorted(self.ids, low)
            end = np.searchsorted(self.ids, low + ((np.uint64(1) << bit) - np.uint64(1)), side="right")
            rows = table[:, bucket * places : (bucket + 1) * places]
            owners = scrambled(peers * self._depth + bucket + 1 ^ int(self._seed << np.uint64(40)))
            large = end - begin > _SMALL
            rows[large] = _drawn(owners[large], begin[large], (end - begin)[large], places)
            small = ~large & (end > begin)
            if small.any():
                rows[small] = _picked(owners[small], begin[small], (end - begin)[small], places)
        table[table == peers[:, None]] = _NOBODY
        return table


def _drawn(owners: Ids, begin: Ints, counts: Ints, places: int) -> Ints:
    """Draw contacts out of many; the few that are drawn twice leave a place free."""
    numbers = scrambled(owners[:, None] + np.arange(1, places + 1, dtype=np.uint64))
    drawn = np.sort(begin[:, None] + (numbers % counts[:, None].astype(np.uint64)).astype(np.int64), axis=1)
    drawn[:, 1:][drawn[:, 1:] == drawn[:, :-1]] = _NOBODY
    return drawn


def _picked(owners: Ids, begin: Ints, counts: Ints, places: int) -> Ints:
    """Pick contacts out of few: those with the smallest hashes."""
    columns = np.arange(int(counts.max()))
    hashes = scrambled(owners[:, None] + columns.astype(np.uint64) + np.uint64(1))
    there = columns < counts[:, None]
    order = np.argsort(np.where(there, hashes, _FAR), axis=1)[:, :places]
    picked = np.where(np.take_along_axis(there, order, axis=1), begin[:, None] + order, _NOBODY)
    room = places - picked.shape[1]
    return np.pad(picked, ((0, 0), (0, max(0, room))), constant_values=_NOBODY)
