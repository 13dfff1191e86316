"""The rules of keeping: what of a Store message is taken, and what of it is told to whoever asks.

Invariant: nothing is kept that is not the sender's own (values are their signer's), that is malformed, unstamped,
expired, or far from this node; nothing is told but what still lives and answers the question. What this node stores
with itself is treated as that of others, so that it hears the same prices. Pure: time is an argument
(seconds since 1970), and who sends comes as a `Publisher` whose id and key were proved on its link.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from peerage.catalogue.query import Query
from peerage.catalogue.record import Record, Visibility, decode, encode
from peerage.errors import ProtocolError
from peerage.identity.keys import PeerId
from peerage.overlay.dht.contacts import number_of, place_of
from peerage.overlay.dht.limits import DHT_ANSWER_BYTES
from peerage.overlay.dht.messages import (
    Drop,
    Fetch,
    Found,
    FoundProvider,
    FoundRecords,
    Kind,
    Outcome,
    Put,
    Store,
    Verdict,
)
from peerage.overlay.dht.records import Posting, Provider, Whereabouts, is_signed_value, key_of_word
from peerage.overlay.dht.rules import DhtRules
from peerage.overlay.dht.store import Kept, Offer, Publisher, Shelves, Slot
from peerage.overlay.publish_gate import PublishGate
from peerage.overlay.stamps import stamp_bits, stamp_subject

_PROVIDER_BYTES = 250


class Keeper:
    """What one node keeps for the network."""

    __slots__ = ("_gate", "_own", "_radius", "_rules", "shelves")

    def __init__(self, own: PeerId, rules: DhtRules, radius: Callable[[], int]) -> None:
        """`radius` says how far from this node a key may be."""
        self.shelves = Shelves(own, rules)
        self._own = number_of(own)
        self._rules = rules
        self._gate = PublishGate(rules.stamp_bits, rules.publishing)
        self._radius = radius

    # --- taking -----------------------------------------------------------------------------------------------------

    def take(self, message: Store, sender: Publisher, public_key: bytes, now: float) -> list[Outcome]:
        """Keep what may be kept; return one outcome for each item, in the order of the message."""
        outcomes = [self._take_provider(each, sender, now) for each in message.providers]
        where = message.whereabouts
        if where is not None and (where.holder != public_key or not where.is_current(now)):
            where = None
        outcomes += [self._take_posting(each, where, sender, now) for each in message.postings]
        outcomes += [self._take_value(each, sender, now) for each in message.values]
        outcomes += [self._drop(each, sender) for each in message.drops]
        return outcomes

    def _take_provider(self, provider: Provider, sender: Publisher, now: float) -> Outcome:
        slot = (Kind.PROVIDERS, provider.locator)
        if provider.peer_id != sender.peer_id:
            return self._outcome(Verdict.FOREIGN, slot)
        if not provider.is_current(now):
            return self._outcome(Verdict.STALE, slot)
        offer = Offer(slot, b"", provider, _PROVIDER_BYTES, min(provider.expires, now + self._rules.life))
        return self._put(offer, sender, now)

    def _take_posting(self, posting: Posting, where: Whereabouts | None, sender: Publisher, now: float) -> Outcome:
        slot = (Kind.POSTINGS, posting.key)
        if where is None:
            return self._outcome(Verdict.STALE, slot)
        try:
            record = decode(posting.record)
        except ProtocolError:
            return self._outcome(Verdict.MALFORMED, slot)
        if record.holder != where.holder or record.visibility is not Visibility.PUBLIC:
            return self._outcome(Verdict.FOREIGN, slot)
        if not any(key_of_word(word) == posting.key for word in dict.fromkeys(record.words())):
            return self._outcome(Verdict.MALFORMED, slot)
        life = min(where.expires, now + self._rules.life)
        label = record.content + record.slot().to_bytes(8, "big")
        offer = Offer(slot, label, (record, where), len(posting.record), life)
        worth = stamp_bits(stamp_subject(record.holder, record.content), posting.stamp)
        return self._put_posting(offer, sender, now, worth)

    def _put_posting(self, offer: Offer, sender: Publisher, now: float, worth: int) -> Outcome:
        """Keep a posting; the more new ones a publisher brings within an hour, the dearer they are."""
        rules, shelves = self._rules, self.shelves
        known = shelves.has(offer.slot, sender.peer_id, offer.label)
        counted = not known and not shelves.has_few_of(sender, rules.uncounted)
        wanted = self._gate.bits(sender.peer_id, sender.subnet, now) if counted else rules.stamp_bits
        if worth < wanted and self._is_near(offer.slot):
            if not known and not shelves.may_take(offer.slot, sender, now):
                return self._outcome(Verdict.FULL, offer.slot)  # a better stamp would be work for nothing
            return Outcome(Verdict.UNSTAMPED, shelves.load(offer.slot), wanted)
        outcome = self._put(offer, sender, now)
        if counted and outcome.verdict is Verdict.STORED:
            self._gate.count(sender.peer_id, sender.subnet, now)
        return outcome

    def _take_value(self, put: Put, sender: Publisher, now: float) -> Outcome:
        value = put.value
        slot = (Kind.VALUE, value.key)
        kept = self._value(slot, now)
        if kept is not None:
            seq = kept.item.seq
            if put.cas is not None and put.cas != seq:
                return self._outcome(Verdict.CONFLICT, slot)
            if value.seq < seq or (value.seq == seq and value.value != kept.item.value):
                return self._outcome(Verdict.STALE, slot)
        if not self._is_near(slot):
            return self._outcome(Verdict.FAR, slot)
        if not is_signed_value(value):
            return self._outcome(Verdict.FORGED, slot)
        if kept is not None:
            sender = kept.publisher  # whoever renews it takes nobody's place
        offer = Offer(slot, b"", value, len(value.value) + len(value.salt) + 100, now + self._rules.life)
        return self._put(offer, sender, now)

    def _drop(self, drop: Drop, sender: Publisher) -> Outcome:
        slot = (drop.kind, drop.key)
        if drop.kind is Kind.VALUE:
            return self._outcome(Verdict.FOREIGN, slot)
        labels = [b""] if drop.content is None else self._labels(slot, sender.peer_id, drop.content)
        for label in labels:
            self.shelves.drop(slot, sender.peer_id, label)
        return self._outcome(Verdict.DROPPED, slot)

    def _labels(self, slot: Slot, peer_id: PeerId, content: bytes) -> list[bytes]:
        return [label for label in self.shelves.labels(slot, peer_id) if label.startswith(content)]

    def _put(self, offer: Offer, sender: Publisher, now: float) -> Outcome:
        if not self._is_near(offer.slot):
            return self._outcome(Verdict.FAR, offer.slot)
        new = self.shelves.put(offer, sender, now)
        verdict = Verdict.FULL if new is None else Verdict.STORED if new else Verdict.RENEWED
        return self._outcome(verdict, offer.slot)

    def _is_near(self, slot: Slot) -> bool:
        return number_of(slot[1]) ^ self._own <= self._radius()

    def _outcome(self, verdict: Verdict, slot: Slot) -> Outcome:
        return Outcome(verdict, self.shelves.load(slot))

    # --- telling ----------------------------------------------------------------------------------------------------

    def find(self, fetch: Fetch, query: Query | None, now: float, *, near: bool) -> Found | None:
        """Return what is kept under a key and answers the query; None when there is nothing.

        `near`: whether the asker is on this computer, which alone may hear of hosts on it.
        """
        slot = (fetch.kind, fetch.key)
        if fetch.kind is Kind.VALUE:
            kept = self._value(slot, now)
            return None if kept is None else Found(value=kept.item)
        entries = self.shelves.get(slot, now)
        if fetch.kind is Kind.POSTINGS:
            entries = [each for each in entries if query is None or query.matches(each.item[0])]
        if len(entries) <= fetch.skip:
            return None
        told = _fitting(entries[fetch.skip : fetch.skip + fetch.limit])
        more = len(entries) - fetch.skip - len(told)
        if fetch.kind is Kind.PROVIDERS:
            return Found(providers=tuple(FoundProvider(each.item, _host(each, near=near)) for each in told), more=more)
        return Found(records=_by_holder(told, near=near), more=more)

    def _value(self, slot: Slot, now: float) -> Kept | None:
        entries = self.shelves.get(slot, now)
        return max(entries, key=lambda each: each.item.seq, default=None)


def _fitting(entries: Iterable[Kept]) -> list[Kept]:
    """Return the first entries, as many as go into one answer."""
    told: list[Kept] = []
    size = 0
    for each in entries:
        size += each.size
        if size > DHT_ANSWER_BYTES and told:
            break
        told.append(each)
    return told


def _by_holder(entries: Iterable[Kept], *, near: bool) -> tuple[FoundRecords, ...]:
    grouped: dict[PeerId, list[Kept]] = {}
    for each in entries:
        grouped.setdefault(each.publisher.peer_id, []).append(each)
    return tuple(_records_of(group, near=near) for group in grouped.values())


def _records_of(group: list[Kept], *, near: bool) -> FoundRecords:
    newest = max(group, key=lambda each: each.item[1].expires)
    records: list[Record] = [each.item[0] for each in group]
    return FoundRecords(newest.item[1], _host(newest, near=near), tuple(encode(record) for record in records))


def _host(kept: Kept, *, near: bool) -> str:
    """Return the host that a publisher was seen at, unless only this computer can dial it and not the asker."""
    host = kept.publisher.host
    return host if near or not host or not place_of(host).loopback else ""
