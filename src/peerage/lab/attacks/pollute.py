"""Pollution: hostile nodes offer decoys under the names of popular things, praise them and slander what is good.

As many copies of each decoy are offered as there are of the thing itself, so half of all answers are polluted, and a
decoy's bytes are what its id says: no hash unmasks it. Each hostile node votes under several keys (Sybils): most lie
always, some tell the truth now and then to be believed. Honest people vote on some of what they download, and a few of
them, who have cast ten votes each, are those whose searches are looked at, for things that they have not voted on.
Against it: votes count as far as their voters agree with one's own votes, and with those who do.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from blake3 import blake3

from peerage.catalogue.query_parser import parse
from peerage.errors import LimitError, LinkError
from peerage.identity.keys import PeerKey
from peerage.lab.attacks.attack import Attack, AttackSpec, Extra
from peerage.lab.experiment import Report
from peerage.lab.holdings import Item, Stock
from peerage.lab.member import Member
from peerage.lab.shelf import HeldShelf
from peerage.overlay.base import Hit, SearchRequest
from peerage.overlay.hits import HitMerger, Judge
from peerage.overlay.reputation import Opinion, Reputation, ReputationRules, Standing
from peerage.overlay.reputation.messages import NewVotes
from peerage.overlay.reputation.vote import Ballot, Vote, cast, vote_subject
from peerage.overlay.stamps import find_stamp

_STOCK: Final = Stock(top=0.2, rare=20, single=20)
_PEERS_PER_ITEM: Final = (
    5  # things that decoys are made of: fewer in small worlds, so that votes are about the same ones
)
_ITEMS: Final = (20, 60)  # at the least and the most
_MEASURED: Final = 20  # people whose searches are looked at
_THEIR_VOTES: Final = 10
_VOTES: Final = 25  # of everybody else, and of each Sybil
_SYBILS: Final = (0.0, 0.0, 0.0, 0.5, 0.7)  # keys of one hostile node, and how often each tells the truth
_VOTING: Final = 900.0  # seconds over which votes are cast
_SPREADING: Final = 120.0  # and after which they have gone round
_SEARCHES: Final = 10  # of each of those who are looked at
_BATCH: Final = 10
# Proofs of work cost the voter's processor, and one processor has to do them for all nodes here. Votes go two links far
# instead of six, which is the harder case: most of them have to be asked for; and in fewer messages, as each costs a
# simulation time.
_RULES: Final = ReputationRules(stamp_bits=1, hops=2, interval=20.0)


def decoy_of(item: Item) -> Item:
    """Return what is offered in the place of an item."""
    content = blake3(b"decoy of " + item.content).digest()
    return msgspec.structs.replace(item, content=content, size=item.size + 1)


class Pollute(Attack):
    """Half of all answers are decoys, and liars vote for them under many keys."""

    name = "pollute"
    about = f"half of the answers are decoys, which hostile peers praise under {len(_SYBILS)} keys each"
    defence = "votes count as far as their voters agree with one's own ten votes"
    overlays = ("flood", "auto", "index")
    usual_share = 0.2

    def __init__(self, rng: random.Random, spec: AttackSpec, report: Report) -> None:
        least, most = _ITEMS
        self._items = min(max(spec.peers // _PEERS_PER_ITEM, least), most)
        stock = msgspec.structs.replace(_STOCK, items=self._items)
        super().__init__(rng, msgspec.structs.replace(spec, stock=stock), report)
        self._rng = random.Random(f"votes {spec.seed}")  # noqa: S311 -- a simulation, not a secret
        self._polluted: dict[int, list[Item]] = defaultdict(list)  # by seat
        self._decoys: frozenset[bytes] = frozenset()
        self._reputations: dict[int, Reputation] = {}
        self._tops: list[tuple[bool, bool]] = []  # of each search: was it polluted by holders alone, and as shown
        self._seen = {True: 0, False: 0}  # contents in lists of hits, by whether they are decoys
        self._hidden = {True: 0, False: 0}

    def turn(self, member: Member) -> None:
        """Give it decoys."""
        if not self._polluted:
            self._hand_out()
        decoys = [decoy_of(item) for item in self._polluted[member.seat]]
        member.shelf = member.held = HeldShelf(self.population.library, decoys, member.node.peer.key)

    def _popular(self) -> list[Item]:
        """Return what decoys are made of."""
        return self.population.holdings.items[: self._items]

    def _hand_out(self) -> None:
        """Let as many hostile nodes have a decoy as honest ones have the thing itself."""
        hostile = sorted(self.attackers)
        for item in self._popular():
            honest = len(self.population.holders(item) - self.attackers)
            for seat in self._rng.sample(hostile, min(honest, len(hostile))):
                self._polluted[seat].append(item)
        self._decoys = frozenset(decoy_of(item).content for items in self._polluted.values() for item in items)

    # --- votes --------------------------------------------------------------------------------------------------------

    async def strike(self) -> None:
        """Let people and Sybils vote, then look at what people see."""
        for member in self.population.living():
            links = member.membership.active if member.membership is not None else None
            reputation = self._reputations[member.seat] = Reputation(rules=_RULES, links=links)
            await member.node.peer.mount(reputation)
        honest = [member for member in self.population.living() if not member.hostile]
        measured = self._rng.sample(honest, min(_MEASURED, len(honest)))
        async with asyncio.TaskGroup() as group:
            for member in honest:
                group.create_task(self._vote(member, _THEIR_VOTES if member in measured else _VOTES))
            for seat in sorted(self.attackers) if not self.is_calm else ():
                group.create_task(self._lie(self.population.members[seat]))
        await self.wait(_SPREADING, "votes go round")
        for number, member in enumerate(measured):
            self.report("searches", number / len(measured))
            await self._look(member)

    async def _vote(self, member: Member, number: int) -> None:
        """Vote on what one has downloaded: sometimes the thing itself, as often a decoy."""
        for item in self._some_items(number):
            await asyncio.sleep(self._rng.uniform(0, 2 * _VOTING / number))
            content, opinion = self._drawn(item)
            await self._reputations[member.seat].vote(content, item.name, opinion)

    def _some_items(self, number: int) -> list[Item]:
        """Draw different items, as popular as they are."""
        chosen: dict[int, Item] = {}
        number = min(number, self._items * 3 // 4)
        items = self._popular()
        weights = [1 / (item.rank + 1) ** _STOCK.exponent for item in items]
        while len(chosen) < number:
            item = self._rng.choices(items, weights)[0]
            chosen[item.number] = item
        return list(chosen.values())

    def _drawn(self, item: Item) -> tuple[bytes, Opinion]:
        if not self.is_calm and self._rng.random() < 0.5:
            return decoy_of(item).content, Opinion.FAKE
        return item.content, Opinion.GOOD

    async def _lie(self, member: Member) -> None:
        """Vote under several keys, and tell the neighbours, as if it had come from others."""
        ballots = [vote for number, honesty in enumerate(_SYBILS) for vote in self._lies(member, number, honesty)]
        self._rng.shuffle(ballots)
        pause = 2 * _VOTING / (len(ballots) / _BATCH + 1)
        for first in range(0, len(ballots), _BATCH):
            await asyncio.sleep(self._rng.uniform(0, pause))
            for connection in member.node.peer.neighbours():
                try:
                    connection.send(NewVotes(1, tuple(ballots[first : first + _BATCH])))
                except (LinkError, LimitError):
                    continue

    def _lies(self, member: Member, number: int, honesty: float) -> Iterable[Vote]:
        key = PeerKey.from_seed(blake3(member.node.peer.peer_id + bytes([number])).digest())
        for item in self._some_items(_VOTES):
            content, truth = self._drawn(item)
            lie = Opinion.FAKE if truth is Opinion.GOOD else Opinion.GOOD
            opinion = truth if self._rng.random() < honesty else lie
            yield cast(
                key, Ballot(content, item.name, opinion), self._stamp(key, content), member.node.peer.clock.time()
            )

    def _stamp(self, key: PeerKey, content: bytes) -> int:
        stamp = find_stamp(vote_subject(key.public_key, content), _RULES.stamp_bits, range(1000))
        assert stamp is not None
        return stamp

    # --- what people see ----------------------------------------------------------------------------------------------

    async def _look(self, member: Member) -> None:
        """Search for things that one has not voted on, and see what comes first."""
        reputation = self._reputations[member.seat]
        voted = {each.vote.content for each in reputation.own_votes()}
        fresh = [
            item
            for item in self._popular()
            if not voted & {item.content, decoy_of(item).content} and member.seat not in self.population.holders(item)
        ]
        for item in self._rng.sample(fresh, min(_SEARCHES, len(fresh))):
            text = self._text(item)
            self._judge(reputation, text, await self._hits(member, text))

    async def _hits(self, member: Member, text: str) -> list[Hit]:
        """Search, and learn what others say of what was found."""
        request = SearchRequest(text=text, wanted=100, deadline=self.spec.deadline, ttl=self.generation.ttl)
        async with member.overlay.search(request) as search:
            hits = [hit async for hit in search]
        if not self.is_bare:
            holders = [hit.holder.peer_id for hit in hits]
            await self._reputations[member.seat].learn([hit.record.content for hit in hits], holders)
        return hits

    def _judge(self, reputation: Reputation, text: str, hits: Sequence[Hit]) -> None:
        """Rank what was found with votes and without, and note what comes first and what is hidden."""
        judge = Judge() if self.is_bare else Judge(score=reputation.score)
        plain, judged = (HitMerger(parse(text), None, each) for each in (Judge(), judge))
        for hit in hits:
            plain.add(hit)
            judged.add(hit)
        shown = []
        for merged in judged.ranked():
            is_decoy = merged.content in self._decoys
            is_hidden = not self.is_bare and reputation.verdict(merged.content, merged.name).standing is Standing.HIDE
            self._seen[is_decoy] += 1
            self._hidden[is_decoy] += is_hidden
            if not is_hidden:
                shown.append(is_decoy)
        if hits:
            would_be = plain.ranked()[0].content in self._decoys
            self._tops.append((would_be, bool(shown) and shown[0]))

    def extras(self) -> list[Extra]:
        """Return what people were shown first, and what was hidden from them."""
        fooled = [now for would_be, now in self._tops if would_be]
        return [
            Extra("polluted, of the first results by holders alone", _share(len(fooled), len(self._tops))),
            Extra("polluted, of the first results shown", _share(sum(now for _, now in self._tops), len(self._tops))),
            Extra("polluted first results avoided", _share(fooled.count(False), len(fooled))),
            Extra("decoys hidden", _share(self._hidden[True], self._seen[True])),
            Extra("honest results hidden", _share(self._hidden[False], self._seen[False])),
        ]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
