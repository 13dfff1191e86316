"""The routing table: contacts in buckets by the length of the prefix that they share with this node's id.

Invariant: only peers that were reached at their address are in a bucket (check before add); a bucket never gives up a
contact that answers for a newcomer, and no subnet has more than its share of a bucket or of the table, so that an
attacker can neither flush the table nor fill it from few addresses (Marcus et al. 2018; Prunster et al. 2020). Buckets
come into being with their first contact. Pure: time is an argument; there are no timers, `stalest` says what to check.
"""

from __future__ import annotations

from collections import Counter
from operator import attrgetter

from peerage.identity.keys import PeerId
from peerage.overlay.dht.contacts import BITS, Contact, number_of, place_of, subnet_of
from peerage.overlay.dht.rules import DhtRules

_GIVEN_UP = 2  # questions in a row without an answer after which a contact has gone


class Entry:
    """One contact in the table."""

    __slots__ = ("contact", "failures", "here", "number", "seen", "subnet")

    def __init__(self, contact: Contact, now: float) -> None:
        self.contact = contact
        self.number = number_of(contact.peer_id)
        self.subnet = subnet_of(contact)
        self.here = place_of(contact.addresses[0].host).loopback
        self.seen = now
        self.failures = 0


_seen = attrgetter("seen")


class RoutingTable:
    """The contacts of one node."""

    __slots__ = ("_buckets", "_by_id", "_own", "_rules", "_spares", "_subnets", "_turn", "here")

    def __init__(self, own: PeerId, rules: DhtRules) -> None:
        self._own = number_of(own)
        self._rules = rules
        self._by_id: dict[PeerId, Entry] = {}
        self._buckets: dict[int, list[Entry]] = {}
        self._spares: dict[int, dict[PeerId, Contact]] = {}  # heard of, never reached; bounded for each bucket
        self._subnets: Counter[str] = Counter()
        self._turn = 0
        self.here = 0  # how many contacts are on this computer

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, peer_id: PeerId) -> bool:
        return peer_id in self._by_id

    def contacts(self) -> list[Contact]:
        """Return all contacts, in the order in which they came."""
        return [entry.contact for entry in self._by_id.values()]

    # --- who comes in -----------------------------------------------------------------------------------------------

    def add(self, contact: Contact, now: float) -> bool:
        """Take in a peer that was just reached at its address; False when there is no place for it."""
        known = self._by_id.get(contact.peer_id)
        if known is not None:
            return self._renew(known, contact, now)
        entry = Entry(contact, now)
        if entry.number == self._own or not self._has_place(entry.number, entry.subnet):
            return False
        self._enter(entry)
        return True

    def wants(self, contact: Contact) -> bool:
        """Whether it is worth the while to see if this unknown peer can be reached."""
        if contact.peer_id in self._by_id:
            return False
        number = number_of(contact.peer_id)
        return number != self._own and self._has_place(number, subnet_of(contact))

    def hear(self, contact: Contact) -> None:
        """Remember a peer that somebody told of, as a spare for its bucket; the oldest give way."""
        number = number_of(contact.peer_id)
        if contact.peer_id in self._by_id or number == self._own:
            return
        spares = self._spares.setdefault(self._index(number), {})
        spares.pop(contact.peer_id, None)
        if len(spares) >= self._rules.spares:
            del spares[next(iter(spares))]
        spares[contact.peer_id] = contact

    def take_spare(self) -> Contact | None:
        """Return a peer to be reached and added, and forget that it was heard of: for the emptiest bucket first."""
        wanting = [index for index, spares in self._spares.items() if spares and self._room(index)]
        if not wanting:
            return None
        index = min(wanting, key=lambda each: (len(self._buckets.get(each, ())), -each))
        _, contact = self._spares[index].popitem()
        return contact

    # --- who lives --------------------------------------------------------------------------------------------------

    def alive(self, peer_id: PeerId, now: float) -> bool:
        """Note that a contact was heard; False when it is none."""
        known = self._by_id.get(peer_id)
        if known is None:
            return False
        known.seen = now
        known.failures = 0
        return True

    def failed(self, peer_id: PeerId) -> None:
        """Note that a contact did not answer: it is told to nobody until it does, and goes the second time."""
        known = self._by_id.get(peer_id)
        if known is None:
            for spares in self._spares.values():
                spares.pop(peer_id, None)
            return
        known.failures += 1
        if known.failures >= _GIVEN_UP:
            self.remove(peer_id)

    def remove(self, peer_id: PeerId) -> None:
        """Take a contact out, if it is one."""
        entry = self._by_id.pop(peer_id, None)
        if entry is None:
            return
        index = self._index(entry.number)
        bucket = self._buckets[index]
        bucket.remove(entry)
        if not bucket:
            del self._buckets[index]
        self.here -= entry.here
        if entry.subnet:
            self._subnets[entry.subnet] -= 1
            if not self._subnets[entry.subnet]:
                del self._subnets[entry.subnet]

    def stalest(self, now: float, age: float) -> Contact | None:
        """Return whom to check next: of the bucket in turn who was silent for longest, if for `age` or more."""
        indices = sorted(self._buckets)
        for _ in indices:
            self._turn += 1
            entry = min(self._buckets[indices[self._turn % len(indices)]], key=_seen)
            if now - entry.seen >= age:
                return entry.contact
        return None

    # --- who is near ------------------------------------------------------------------------------------------------

    def closest(self, target: int, count: int, avoid: PeerId | None = None) -> list[Contact]:
        """Return the contacts nearest to `target` that answered last time, the nearest first."""
        found: list[Contact] = []
        for group in self._outwards(target):
            usable = [
                (each.number ^ target, each.contact)
                for each in group
                if not each.failures and each.contact.peer_id != avoid
            ]
            usable.sort()  # no two distances are equal, so contacts are never compared
            found += [contact for _, contact in usable[: count - len(found)]]
            if len(found) >= count:
                break
        return found

    def neighbours(self, count: int) -> list[Contact]:
        """Return the contacts nearest to this node itself."""
        return self.closest(self._own, count)

    def is_near(self, number: int, count: int) -> bool:
        """Whether fewer than `count` contacts are nearer to this node than that id or key."""
        distance = number ^ self._own
        nearer = 0
        for index in sorted(self._buckets, reverse=True):
            nearer += sum(each.number ^ self._own < distance for each in self._buckets[index])
            if nearer >= count:
                return False
        return True

    def _outwards(self, target: int) -> list[list[Entry]]:
        """Return the buckets in the order of their distance from `target`, those of equal prefix as one."""
        index = self._index(target)
        here = self._buckets.get(index)
        groups = [here] if here else []
        deeper = [each for at, bucket in self._buckets.items() if at > index for each in bucket]
        if deeper:
            groups.append(deeper)
        groups += [self._buckets[at] for at in sorted(self._buckets, reverse=True) if at < index]
        return groups

    # --- inside -----------------------------------------------------------------------------------------------------

    def _index(self, number: int) -> int:
        return BITS - (number ^ self._own).bit_length()

    def _room(self, index: int) -> bool:
        return len(self._buckets.get(index, ())) < self._rules.bucket

    def _has_place(self, number: int, subnet: str) -> bool:
        index = self._index(number)
        if not self._room(index):
            return False
        if not subnet:
            return True
        here = sum(each.subnet == subnet for each in self._buckets.get(index, ()))
        return here < self._rules.subnet_bucket and self._subnets.get(subnet, 0) < self._rules.subnet_table

    def _enter(self, entry: Entry) -> None:
        index = self._index(entry.number)
        self._by_id[entry.contact.peer_id] = entry
        self._buckets.setdefault(index, []).append(entry)
        spares = self._spares.get(index)
        if spares is not None:
            spares.pop(entry.contact.peer_id, None)
        self.here += entry.here
        if entry.subnet:
            self._subnets[entry.subnet] += 1

    def _renew(self, known: Entry, contact: Contact, now: float) -> bool:
        """Note that a contact was reached, perhaps at another address than before."""
        known.seen = now
        known.failures = 0
        if contact.addresses == known.contact.addresses:
            return True
        if subnet_of(contact) == known.subnet and known.here == place_of(contact.addresses[0].host).loopback:
            known.contact = contact
            return True
        self.remove(contact.peer_id)
        return self.add(contact, now)
