"""The leaves of a supernode: who has a place, how much each may bring and ask, and the words of all as one table.

Invariant: there are never more leaves than places, nor more of one subnet than a few; nobody gets more by attaching
again, as what a peer has used up is remembered. A leaf whose link is lost keeps its place unseen for a while. The
table says yes to whatever a leaf that is there may answer. Pure: time is an argument (seconds).
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final

from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.limits import LEAF_WORDS
from peerage.overlay.keywords import MAX_BITS, MIN_BITS, KeywordTable
from peerage.overlay.paces import Paces
from peerage.overlay.supernode.rules import SupernodeRules
from peerage.peer.subnet import subnet_of

_SPARSE: Final = 16  # slots per word: a query of two words is passed on in vain once in 250 times


class Denied(StrEnum):
    """Why something is refused; what the counters call it."""

    FULL = "full"
    SUBNET = "subnet"
    QUERIES = "queries-rate"
    RECORDS = "records-rate"
    STRANGER = "no-leaf"
    FOREIGN = "foreign"
    FORGED = "forged"


class Leaf:
    """One of them; `lost_at` is set while its link is gone."""

    __slots__ = ("addresses", "capable", "count", "home", "lost_at", "numbers", "peer_id")

    def __init__(self, peer_id: PeerId, home: str) -> None:
        self.peer_id = peer_id
        self.home = home
        self.addresses: tuple[Address, ...] = ()
        self.capable = False
        self.count = 0  # records and locators
        self.lost_at: float | None = None
        self.numbers: array[int] = array("I")  # hashed words and locators


class LeafBook:
    """All leaves of one supernode, at most `places`."""

    def __init__(self, rules: SupernodeRules, places: int) -> None:
        self._rules = rules
        self._places = places
        self._leaves: dict[PeerId, Leaf] = {}
        self._homes: Counter[str] = Counter()
        self._queries = Paces(rules.queries_rate, rules.queries_burst)
        self._records = Paces(rules.records_rate, rules.records_burst)
        self._table: KeywordTable | None = None

    def __len__(self) -> int:
        return len(self._leaves)

    def __iter__(self) -> Iterator[Leaf]:
        return iter(self._leaves.values())

    @property
    def room(self) -> int:
        """How many more leaves there are places for."""
        return max(0, self._places - len(self._leaves))

    def get(self, peer_id: PeerId) -> Leaf | None:
        """Return a leaf whose link is up."""
        leaf = self._leaves.get(peer_id)
        return leaf if leaf is not None and leaf.lost_at is None else None

    # --- coming and going -------------------------------------------------------------------------------------------

    def admit(self, peer_id: PeerId, remote: Address) -> Leaf | Denied:
        """Give a peer a place, or let it keep the one it has."""
        leaf = self._leaves.get(peer_id)
        if leaf is not None:
            self._table = self._table if leaf.lost_at is None else None
            leaf.lost_at = None
            return leaf
        home = subnet_of(remote.host)
        if not self.room and not self._give_up_a_lost_one():
            return Denied.FULL
        if home and self._homes[home] >= self._rules.leaves_per_subnet:
            return Denied.SUBNET
        leaf = self._leaves[peer_id] = Leaf(peer_id, home)
        self._homes[home] += 1
        return leaf

    def lost(self, peer_id: PeerId, now: float) -> None:
        """The link of a leaf has ended."""
        leaf = self.get(peer_id)
        if leaf is not None:
            leaf.lost_at = now
            self._table = None

    def remove(self, peer_id: PeerId) -> bool:
        """Forget a leaf; whether it was one."""
        leaf = self._leaves.pop(peer_id, None)
        if leaf is None:
            return False
        self._homes[leaf.home] -= 1
        if not self._homes[leaf.home]:
            del self._homes[leaf.home]
        self._table = None
        return True

    def overdue(self, now: float) -> list[PeerId]:
        """Return those who were lost too long ago."""
        kept = self._rules.kept
        return [each.peer_id for each in self if each.lost_at is not None and now - each.lost_at >= kept]

    def callable_up(self) -> list[PeerId]:
        """Return leaves that could be supernodes themselves."""
        return [each.peer_id for each in self if each.capable and each.lost_at is None]

    def _give_up_a_lost_one(self) -> bool:
        lost = [each for each in self if each.lost_at is not None]
        return bool(lost) and self.remove(min(lost, key=lambda each: each.lost_at or 0.0).peer_id)

    # --- what they may do -------------------------------------------------------------------------------------------

    def may_ask(self, peer_id: PeerId, now: float) -> bool:
        """Take leave for one question."""
        return self._queries.take(peer_id, 1, now)

    def may_bring(self, peer_id: PeerId, amount: int, now: float) -> bool:
        """Take leave for so many records."""
        return self._records.take(peer_id, amount, now)

    # --- their words ------------------------------------------------------------------------------------------------

    def add_numbers(self, leaf: Leaf, numbers: Iterable[int]) -> None:
        """A leaf has brought records with these words and locators; what exceeds its bound is left out."""
        fresh = set(numbers)
        fresh.difference_update(leaf.numbers)
        room = max(0, LEAF_WORDS - len(leaf.numbers))
        if fresh and room:
            leaf.numbers.extend(sorted(fresh)[:room])
            self._table = None

    def forget_numbers(self, leaf: Leaf) -> None:
        """A leaf begins afresh."""
        leaf.numbers = array("I")
        self._table = None

    def table(self) -> KeywordTable:
        """Return the words of all leaves that are there."""
        if self._table is None:
            self._table = _table_of([each.numbers for each in self if each.lost_at is None])
        return self._table


def _table_of(all_numbers: Iterable[array[int]]) -> KeywordTable:
    numbers: set[int] = set()
    for each in all_numbers:
        numbers.update(each)
    bits = max(MIN_BITS, min(MAX_BITS, (len(numbers) * _SPARSE - 1).bit_length())) if numbers else MIN_BITS
    slots, shift = bytearray(1 << bits - 3), 32 - bits
    for number in numbers:
        slot = number >> shift
        slots[slot >> 3] |= 1 << (slot & 7)
    return KeywordTable(bits, bytes(slots))
