"""Who is whose neighbour: HyParView, a mesh that stays in one piece when half of it dies.

Invariant: a peer is a neighbour of this one only if this one is its neighbour, but for what is under way; nobody banned
is one. There are at most `wanted` + NEIGHBOURS_SPARE of them, and whoever finds fewer than `wanted` asks others until
it has them: first those it has met, then those it was told of. Who comes in by right (a newcomer, or one that has
nobody) takes the place of one that came lately, never of a friend, so a storm of newcomers leaves the old mesh
standing; and who gives way is told of somebody with a free place. Pure: what is to be done is returned.

After J. Leitao, J. Pereira, L. Rodrigues: HyParView (DSN 2007). Unlike there, who has two neighbours' worth of free
places takes those who look for one, and a newcomer is told of others at once, which saves most walks.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from enum import Enum
from typing import Protocol

import msgspec

from peerage.identity.keys import PeerId
from peerage.limits import (
    ASKED_AT_MOST,
    CALM_ROUNDS,
    CALM_SECONDS,
    JOIN_WALK,
    JOIN_WALKS,
    JOINS_BURST,
    JOINS_RATE,
    NEIGHBOURS_ASKED,
    NEIGHBOURS_SPARE,
    PASSIVE_VIEW,
    PASSIVE_WALK,
    PEERS_PER_SUBNET,
    REFUSED_PAUSE,
    SHUFFLE_ACTIVE,
    SHUFFLE_PASSIVE,
    SHUFFLE_WALK,
    WALKS_BURST,
    WALKS_RATE,
)
from peerage.peer.limiter import TokenBucket
from peerage.peer.lost_peers import LostPeers
from peerage.peer.messages import NUMBER_BITS, Contact, Disconnect, ForwardJoin, Neighboured, Shuffle, Shuffled
from peerage.peer.passive_view import PassiveView
from peerage.peer.subnet import subnets_of
from peerage.peer.ways_back import WaysBack
from peerage.wire.message import Message

_TOLD: int = 6  # peers told to a newcomer or to one who is refused


class Standing(Enum):
    """What the owner of this node thinks of a peer."""

    BANNED = 0
    NEUTRAL = 1
    FRIEND = 2


_BANNED = Standing.BANNED  # members of an enum are slow to look up
_NEUTRAL = Standing.NEUTRAL


class Judge(Protocol):
    """What the machine asks about others."""

    def standing(self, peer_id: PeerId) -> Standing:
        """Return what the owner of this node thinks of a peer."""

    def believed(self, contacts: Sequence[Contact], teller: PeerId) -> Sequence[Contact]:
        """Return those contacts, with those addresses, that this teller can know and this node can dial."""


class Send(msgspec.Struct, frozen=True):
    """Send a message to a neighbour; `own` unless it is passed on as it came."""

    peer_id: PeerId
    message: Message
    own: bool = True


class Ask(msgspec.Struct, frozen=True):
    """Ask a peer to be a neighbour, and report with `answered` or `unreachable`."""

    contact: Contact
    urgent: bool


class Came(msgspec.Struct, frozen=True):
    """This peer is a neighbour now."""

    peer_id: PeerId


class Went(msgspec.Struct, frozen=True):
    """This peer is a neighbour no longer."""

    peer_id: PeerId


Action = Send | Ask | Came | Went
Actions = list[Action]


class Member:
    """A neighbour."""

    __slots__ = ("contact", "since", "subnets", "walks")

    def __init__(self, contact: Contact, now: float) -> None:
        self.contact = contact
        self.since = now
        self.subnets = subnets_of(contact.addresses)
        self.walks = TokenBucket(WALKS_RATE, WALKS_BURST, now)


class HyParView:
    """The views of one node, and what it does at each event; `now` is in seconds and only goes forward."""

    def __init__(self, own_id: PeerId, rng: random.Random, judge: Judge, wanted: int, now: float) -> None:
        self.own_id = own_id
        self.wanted = wanted
        self.active: dict[PeerId, Member] = {}
        self.passive = PassiveView(PASSIVE_VIEW, rng)
        self.lost_peers = LostPeers(rng)
        self._rng = rng
        self._judge = judge
        self._standing = judge.standing
        self._asking: dict[PeerId, bool] = {}  # whom we ask; False when a later word has made the answer void
        self._joins = TokenBucket(JOINS_RATE, JOINS_BURST, now)
        self._ways_back = WaysBack()
        self._rounds = 0
        self._changed = now  # when a neighbour last came or went
        self.is_new = True  # never had a neighbour

    @property
    def missing(self) -> int:
        """How many neighbours are wanted still."""
        return self.wanted - len(self.active)

    @property
    def idle(self) -> bool:
        """Whether nobody is being asked."""
        return not self._asking

    # --- looking for neighbours -----------------------------------------------------------------------------------

    def fill(self, now: float) -> Actions:
        """Ask remembered peers while neighbours are missing."""
        free = min(self.missing, NEIGHBOURS_ASKED) - len(self._asking)
        actions: Actions = []
        if free > 0:
            for entry in self.passive.candidates(now):
                if len(actions) < free and self._may_be_asked(entry.contact.peer_id):
                    actions.append(self._ask(entry.contact, urgent=not self.active))
        return actions

    def insist(self) -> Actions:
        """Where two are missing and all refuse, go between two neighbours: no one has fewer of them after that."""
        if self._asking or self.missing < 2:
            return []
        met = [each for each in self.passive.met() if self._may_be_asked(each.peer_id)]
        return [self._ask(self._rng.choice(met), urgent=True)] if met else []

    def probe(self, now: float) -> Actions:
        """Ask one lost neighbour whether it is there again: if it is, two halves of the network may have been apart."""
        contact = self.lost_peers.due(now)
        if contact is None:
            return []
        if not self._may_be_asked(contact.peer_id):
            self.lost_peers.forget(contact.peer_id)
            return []
        return [self._ask(contact, urgent=True)]

    def ask(self, contact: Contact, *, urgent: bool = False) -> Actions:
        """Ask this peer, unless it is a neighbour or asked already."""
        if len(self._asking) >= ASKED_AT_MOST or not self._may_be_asked(contact.peer_id):
            return []
        return [self._ask(contact, urgent=urgent or not self.active)]

    def entered(self, contact: Contact, peers: Sequence[Contact], now: float) -> Actions:
        """A peer has answered our Join: it is a neighbour, and tells of others."""
        actions = self.answered(contact, Neighboured(accepted=True), now)
        self._hear(peers, contact.peer_id, now)
        return actions

    def answered(self, contact: Contact, answer: Neighboured, now: float) -> Actions:
        """A peer has said whether it is a neighbour now; one that is too much for us is told so."""
        peer_id = contact.peer_id
        valid = self._asking.pop(peer_id, True)
        self.lost_peers.forget(peer_id)
        if answer.accepted:
            return self._admit(contact, now) if valid and self._welcome(peer_id) else [Send(peer_id, Disconnect())]
        self.passive.add_met(contact, now)
        self.passive.postpone(peer_id, now + REFUSED_PAUSE * self._rng.uniform(0.5, 1.5))
        self._hear(answer.peers, peer_id, now)
        return self.fill(now)

    def unreachable(self, peer_id: PeerId, now: float) -> Actions:
        """A peer that was asked cannot be dialled, or does not answer."""
        self._asking.pop(peer_id, None)
        self.passive.remove(peer_id)
        self.lost_peers.failed(peer_id, now)
        return self.fill(now)

    # --- what others say ------------------------------------------------------------------------------------------

    def joined(self, newcomer: Contact, now: float) -> tuple[tuple[Contact, ...], Actions]:
        """A newcomer has come to us: return whom it is told of, and what else is to be done."""
        told = self._sample(_TOLD, but=newcomer.peer_id)
        if newcomer.peer_id in self.active:
            return told, []
        others = list(self.active)
        actions = self._admit(newcomer, now)
        if newcomer.addresses and self._joins.take(1, now):
            others = [each for each in others if each in self.active]
            walks = self._rng.sample(others, min(JOIN_WALKS, len(others)))
            actions += [Send(each, ForwardJoin(newcomer, JOIN_WALK)) for each in walks]
        return told, actions

    def on_neighbour(self, asker: Contact, *, urgent: bool, now: float) -> tuple[Neighboured, Actions]:
        """A peer asks to be a neighbour: return the answer, and what else is to be done."""
        peer_id = asker.peer_id
        if peer_id in self.active:
            return Neighboured(accepted=True), []
        crowded = len(self.active) >= self.wanted + NEIGHBOURS_SPARE or self._subnet_full(asker)
        if not self._welcome(peer_id):
            return Neighboured(accepted=False), []
        if (crowded and not urgent) or not self.wanted:
            self.passive.add_met(asker, now)
            return Neighboured(accepted=False, peers=self._sample(_TOLD // 2, but=peer_id)), []
        return Neighboured(accepted=True), self._admit(asker, now)

    def on_disconnect(self, peer_id: PeerId, peers: Sequence[Contact], now: float) -> Actions:
        """A neighbour has given our place to another, and names some who may have one."""
        if peer_id in self._asking:
            self._asking[peer_id] = False
        member = self.active.pop(peer_id, None)
        if member is None:
            return []
        self.passive.add_met(member.contact, now)
        self.passive.postpone(peer_id, now + REFUSED_PAUSE * self._rng.uniform(0.5, 1.5))
        asks: Actions = []
        for each in peers[:1]:  # who has come in our place: half of its places are still free
            asks += self.ask(each) if self.missing > 0 and each.addresses else []
        self._hear(peers, peer_id, now)
        return [Went(peer_id), *asks, *self.fill(now)]

    def lost(self, peer_id: PeerId, now: float) -> Actions:
        """The last link to a peer has ended, without a word of farewell."""
        member = self.active.pop(peer_id, None)
        if member is None:
            return []
        self._changed = now
        self.lost_peers.add(member.contact, now)
        return [Went(peer_id), *self.fill(now)]

    def on_forward_join(self, sender: PeerId, message: ForwardJoin, now: float) -> Actions:
        """A newcomer on its walk passes: pass it on, remember it, or ask it to be a neighbour where the walk ends."""
        member, newcomer = self.active.get(sender), message.newcomer
        if member is None:
            return [Send(sender, Disconnect())]
        ttl = min(message.ttl, JOIN_WALK) - 1
        known = newcomer.peer_id == self.own_id or newcomer.peer_id in self.active
        if not newcomer.addresses or not self._welcome(newcomer.peer_id) or not member.walks.take(1, now):
            return []
        if ttl == PASSIVE_WALK and not known:
            self.passive.add_told(newcomer, sender, now)
        onward = [each for each in self.active if each not in {sender, newcomer.peer_id}]
        if ttl > 0 and onward:
            return [Send(self._rng.choice(onward), ForwardJoin(newcomer, ttl))]
        return [] if known or not self.wanted else self.ask(newcomer)

    # --- exchanging remembered peers ------------------------------------------------------------------------------

    def shuffle(self, now: float) -> Actions:
        """Begin an exchange with a peer somewhere in the network; after a long calm only now and then."""
        self._rounds += 1
        calm = now - self._changed >= CALM_SECONDS and self._rounds % CALM_ROUNDS
        if not self.active or calm:
            return []
        target = self._rng.choice(list(self.active))
        neighbours = [each.contact for each in self.active.values() if each.contact.addresses]
        some = self._rng.sample(neighbours, min(SHUFFLE_ACTIVE, len(neighbours)))
        number = self._rng.getrandbits(NUMBER_BITS)
        self._ways_back.put(number, None)
        peers = tuple(each for each in (*some, *self._met(SHUFFLE_PASSIVE)) if each.peer_id != target)
        return [Send(target, Shuffle(number, SHUFFLE_WALK, None, peers))]

    def on_shuffle(self, sender: PeerId, message: Shuffle, now: float) -> Actions:
        """An exchange passes: pass it on, or take part where its walk ends."""
        member = self.active.get(sender)
        if member is None:
            return [Send(sender, Disconnect())]
        if not member.walks.take(1, now):
            return []
        origin = message.origin or member.contact
        ttl = min(message.ttl, SHUFFLE_WALK) - 1
        onward = [each for each in self.active if each not in {sender, origin.peer_id}]
        if ttl > 0 and onward and self._ways_back.put(message.number, sender):
            passed = Shuffle(message.number, ttl, origin, message.peers)
            return [Send(self._rng.choice(onward), passed, own=message.origin is None)]
        answer = Shuffled(message.number, self._sample(SHUFFLE_ACTIVE + SHUFFLE_PASSIVE, but=origin.peer_id))
        self._hear((origin, *message.peers), sender, now)
        return [Send(sender, answer)]

    def on_shuffled(self, sender: PeerId, message: Shuffled, now: float) -> Actions:
        """The answer to an exchange: ours, or one to pass back."""
        if sender not in self.active or message.number not in self._ways_back:
            return []
        back = self._ways_back.take(message.number)
        if back is not None:
            return [Send(back, message, own=False)] if back in self.active else []
        self._hear(message.peers[: SHUFFLE_ACTIVE + SHUFFLE_PASSIVE], sender, now)
        return self.fill(now)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _welcome(self, peer_id: PeerId) -> bool:
        return peer_id != self.own_id and self._standing(peer_id) is not _BANNED

    def _may_be_asked(self, peer_id: PeerId) -> bool:
        return peer_id not in self.active and peer_id not in self._asking and self._welcome(peer_id)

    def _ask(self, contact: Contact, *, urgent: bool) -> Ask:
        self._asking[contact.peer_id] = True
        return Ask(contact, urgent)

    def _admit(self, contact: Contact, now: float) -> Actions:
        """Make a peer a neighbour; another gives way when there are too many."""
        if contact.peer_id in self.active:
            return []
        self.passive.remove(contact.peer_id)
        self.lost_peers.forget(contact.peer_id)
        self.is_new = False
        self._changed = now
        victims: Actions = []
        if len(self.active) >= self.wanted + NEIGHBOURS_SPARE or self._subnet_full(contact):
            victims = self._evict(contact, now)
        self.active[contact.peer_id] = Member(contact, now)
        return [*victims, Came(contact.peer_id)]

    def _evict(self, newcomer: Contact, now: float) -> Actions:
        """Take the place of one that came lately, of the newcomer's own subnet if that has its share."""
        members = [each for each in self.active.values() if self._standing(each.contact.peer_id) is _NEUTRAL]
        subnets = set(subnets_of(newcomer.addresses))
        rivals = [each for each in members if subnets.intersection(each.subnets)] if self._subnet_full(newcomer) else []
        younger = sorted(members, key=_since)[len(members) // 2 :]
        if not rivals and not younger:
            return []  # all are friends
        victim = self._rng.choice(rivals or younger).contact
        del self.active[victim.peer_id]
        self.passive.add_met(victim, now)
        self.passive.postpone(victim.peer_id, now + REFUSED_PAUSE)
        told = (newcomer, *self._sample(_TOLD // 2, but=victim.peer_id))
        return [Send(victim.peer_id, Disconnect(told)), Went(victim.peer_id)]

    def _subnet_full(self, contact: Contact) -> bool:
        return any(
            sum(subnet in each.subnets for each in self.active.values()) >= PEERS_PER_SUBNET
            for subnet in subnets_of(contact.addresses)
        )

    def _sample(self, count: int, *, but: PeerId) -> tuple[Contact, ...]:
        """Return some peers that this node has met."""
        met = [each.contact for each in self.active.values() if each.contact.addresses] + self.passive.met()
        others = [each for each in met if each.peer_id != but]
        return tuple(self._rng.sample(others, min(count, len(others))))

    def _met(self, count: int) -> list[Contact]:
        met = self.passive.met()
        return self._rng.sample(met, min(count, len(met)))

    def _hear(self, peers: Sequence[Contact], teller: PeerId, now: float) -> None:
        for each in self._judge.believed(peers, teller):
            if each.peer_id not in self.active and self._welcome(each.peer_id):
                self.passive.add_told(each, teller, now)


def _since(member: Member) -> float:
    return member.since
