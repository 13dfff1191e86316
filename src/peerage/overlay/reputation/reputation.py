"""The reputation of contents: casts the owner's votes, gathers those of others, and says what they mean.

Votes travel by gossip, in small batches and only when there is news, and are asked for when a search has found
something. Whom to believe is decided in weights.py, what follows in verdict.py. A download that hashed as it should is
no vote: bytes can be what their id says and not what their name says.
Invariant: a vote counts only after its signature and its stamp were checked; whoever passes on a forged one loses the
link. An idle node keeps no timer and sends nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from enum import Enum, auto
from typing import Any, Final, NamedTuple

from peerage.catalogue.record import Record
from peerage.errors import ForgedError, LimitError, LinkError, PeerageError, StoreError
from peerage.identity.keys import PeerId, peer_id_of
from peerage.limits import SLOW_LINK
from peerage.overlay.expiring import ExpiringTable
from peerage.overlay.reputation.ballots import Ballots, Told
from peerage.overlay.reputation.gossip import Batch, Gossip, batches_for
from peerage.overlay.reputation.messages import AskVotes, NewVotes, ToldVotes
from peerage.overlay.reputation.rules import (
    DEFAULT_RULES,
    VOTES_ASKED,
    VOTES_TOLD,
    VOTES_TOLD_EACH,
    ReputationRules,
)
from peerage.overlay.reputation.store import Saved, VoteStore
from peerage.overlay.reputation.verdict import Standing, Verdict, judge
from peerage.overlay.reputation.vote import Ballot, Opinion, Vote, cast, name_hash, vote_subject
from peerage.overlay.reputation.weights import Bond, Weight, Weights
from peerage.overlay.stamps import MAX_STAMP, find_stamp
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.peer.limiter import TokenBucket
from peerage.peer.service import Service
from peerage.peer.subnet import subnet_of
from peerage.wire.message import Message, encode

log = logging.getLogger("peerage.overlay")

_TRIES_AT_ONCE: Final = 4096  # hashes for a stamp in one go: two milliseconds
_QUIET: Final = 0.5  # seconds in which votes are collected before they are told
_ASKED_KEPT: Final = 1000  # contents that were asked about lately
_BEST_SECONDS: Final = 30.0  # for which it is known who is worth telling of first
_RENEW_SHARE: Final = 0.5  # of a vote's life after which its owner casts it again

Links = Callable[[], Sequence[PeerConnection]]


class _Taken(Enum):
    """What became of a vote that a link brought."""

    NEWS = auto()
    NOTHING = auto()  # known, too old, banned, or no room
    FORGED = auto()


class OwnVote(NamedTuple):
    """A vote of this node's owner, and the name by which he knew the content."""

    vote: Vote
    name: str


class Reputation(Service):
    """Votes of one node; `store` keeps them (None: memory only), `follows` are peers whose votes count as friends'.

    `friends` says who is one (None: as the peer table has it). `links` gives the neighbours that gossip goes to (None:
    all talk links).
    """

    name = "reputation"

    def __init__(
        self,
        store: VoteStore | None = None,
        *,
        friends: Callable[[PeerId], bool] | None = None,
        follows: Collection[PeerId] = (),
        rules: ReputationRules = DEFAULT_RULES,
        links: Links | None = None,
    ) -> None:
        self._store = store
        self._friends = friends or self._is_friend
        self._follows = set(follows)
        self._rules = rules
        self._links = links or self._neighbours
        self._gossip = Gossip(rules)
        self._names: dict[bytes, str] = {}  # of the contents of own votes
        self._brought: dict[PeerId, TokenBucket] = {}  # votes by link, bounded by the number of links
        self._asking: dict[PeerId, TokenBucket] = {}  # questions by link
        self._asked: ExpiringTable[bytes, bool] = ExpiringTable(_ASKED_KEPT, rules.ask_pause)
        self._best: tuple[float, frozenset[bytes]] = (0.0, frozenset())
        self._spreading: asyncio.Task[None] | None = None
        self._ballots: Ballots
        self._weights: Weights

    # --- the service ------------------------------------------------------------------------------------------------

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Take news, and answer who asks."""
        return ((NewVotes, self._on_votes), (AskVotes, self._on_ask))

    async def start(self) -> None:
        """Begin with what was kept."""
        self._ballots = Ballots(self.peer.key.public_key, self._rules, self._heeds)
        self._weights = Weights(self._ballots, self._rules, self._trust)
        if self._store is not None:
            self._follows |= await self._store.followed()
            for saved in await self._store.load():
                self._restore(saved)
        for own in self.own_votes():
            if own.vote.cast < self._wall() - _RENEW_SHARE * self._rules.life:
                await self._cast(Ballot(own.vote.content, own.name, own.vote.opinion), own.vote.stamp)

    async def stop(self) -> None:
        """Keep what is known, and tell no more."""
        if self._spreading is not None:
            self._spreading.cancel()
            await asyncio.gather(self._spreading, return_exceptions=True)
        if self._store is not None:
            try:
                await self._store.replace([self._saved(told) for told in self._ballots])
            except StoreError as error:
                log.warning("%s", error)

    def peer_connected(self, connection: PeerConnection) -> None:
        """Tell what waits."""
        del connection
        self._look()

    def peer_disconnected(self, connection: PeerConnection) -> None:
        """Forget the link's share."""
        self._brought.pop(connection.peer_id, None)
        self._asking.pop(connection.peer_id, None)

    # --- the owner's opinion ------------------------------------------------------------------------------------------

    async def vote(self, content: bytes, name: str, opinion: Opinion) -> Vote:
        """Say what a content is that was found as `name`; it replaces an earlier vote, and neighbours hear of it.

        Takes a moment for the stamp. Raises StoreError when it cannot be kept; it counts nevertheless.
        """
        known = self._ballots.get(content, self._ballots.own)
        stamp = known.vote.stamp if known is not None else await self._find_stamp(content)
        vote = await self._cast(Ballot(content, name, opinion), stamp)
        self._look()
        return vote

    def own_votes(self) -> list[OwnVote]:
        """Return the votes of this node's owner, the latest first."""
        own = self._ballots.own
        found = [self._ballots.get(content, own) for content in self._ballots.of(own)]
        votes = [OwnVote(told.vote, self._names.get(told.vote.content, "")) for told in found if told is not None]
        return sorted(votes, key=lambda each: (-each.vote.cast, each.vote.content))

    @property
    def follows(self) -> frozenset[PeerId]:
        """Whose votes count as friends'."""
        return frozenset(self._follows)

    async def follow(self, peer_id: PeerId, *, follow: bool = True) -> None:
        """Let the votes of a peer count as those of a friend, or no longer."""
        if self._store is not None:
            await self._store.follow(peer_id, follow=follow)
        (self._follows.add if follow else self._follows.discard)(peer_id)

    # --- what votes say -----------------------------------------------------------------------------------------------

    def verdict(self, content: bytes, name: str | None = None) -> Verdict:
        """Say what is known of a content, offered under a name (None: any)."""
        hashed = None if name is None else name_hash(name)
        return judge(self._ballots.on(content, self._wall()), hashed, self._weights.of, self._rules)

    def score(self, record: Record) -> float:
        """Return what is known of a record's content: from -1, bad, over 0, nothing, to 1, good."""
        found = self.verdict(record.content, record.name)
        return found.score if found.standing is not Standing.SHOW else max(found.score, 0.0)

    def weight_of(self, voter: bytes) -> Weight:
        """Return what the votes of a public key count here."""
        return self._weights.of(voter)

    @property
    def known(self) -> int:
        """How many votes are known, the own ones included."""
        return len(self._ballots)

    async def learn(self, contents: Iterable[bytes], holders: Iterable[PeerId] = ()) -> int:
        """Ask a few peers what they know of these contents; returns how many votes were new.

        Asked are those of `holders` to whom a link is open, those who agree with the owner, and neighbours; what was
        asked about within the last minute is not asked again. Never takes longer than VOTE_ASK_SECONDS, raises nothing.
        """
        now = self._now()
        fresh = [each for each in dict.fromkeys(contents) if self._asked.get(each, now) is None][:VOTES_ASKED]
        links = self._to_ask(holders)
        if not fresh or not links:
            return 0
        for content in fresh:
            self._asked.put(content, True, now)
        before = len(self._ballots)
        async with asyncio.TaskGroup() as group:
            for connection in links:
                group.create_task(self._ask(connection, AskVotes(tuple(fresh))))
        return max(len(self._ballots) - before, 0)

    # --- telling ------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Begin to spread what waits, if anything does and somebody is there."""
        if self._spreading is not None or not len(self._gossip) or not self._links():
            return
        try:
            self._spreading = self.peer.spawn(self._spread(), "votes")
        except LimitError:
            return  # the next vote or link tries again

    async def _spread(self) -> None:
        try:
            while len(self._gossip) and self._links():
                await asyncio.sleep(max(self._gossip.pause(self._now()), _QUIET))
                self._send_news()
        finally:
            self._spreading = None

    def _send_news(self) -> None:
        news = self._gossip.take(self._now())
        frames: dict[Batch, bytes] = {}
        for connection in self._links():
            if connection.unsent > SLOW_LINK:
                continue
            for batch in batches_for(news, connection.peer_id):
                if batch not in frames:
                    frames[batch] = encode(NewVotes(*batch))
                try:
                    connection.send_encoded(frames[batch])
                except (LinkError, LimitError):
                    break
                self.peer.metrics.count("votes_sent", amount=len(batch.votes))

    def _on_ask(self, connection: PeerConnection, message: AskVotes) -> ToldVotes:
        pace = self._rules.question_rate, self._rules.question_burst
        if not self._bucket(self._asking, connection.peer_id, pace).take(1, self._now()):
            raise LimitError("VOTE_QUESTIONS_RATE", "ours", "too many questions for votes")
        found: list[Vote] = []
        for content in dict.fromkeys(message.contents):
            found += self._worth_telling(content)
        return ToldVotes(tuple(found[:VOTES_TOLD]))

    def _worth_telling(self, content: bytes) -> list[Vote]:
        """Return votes on a content: this node's own, then of those it believes, then the latest."""
        best, own = self._believed(), self._ballots.own
        votes = [told.vote for told in self._ballots.on(content, self._wall())]
        votes.sort(key=lambda vote: (vote.voter != own, vote.voter not in best, -vote.cast))
        return votes[:VOTES_TOLD_EACH]

    def _believed(self) -> frozenset[bytes]:
        """Return who agrees with the owner, as it was lately: strangers' questions must not make this node reckon."""
        until, best = self._best
        if self._now() >= until:
            best = frozenset(voter for voter, _ in self._weights.best())
            self._best = (self._now() + _BEST_SECONDS, best)
        return best

    # --- hearing ------------------------------------------------------------------------------------------------------

    def _on_votes(self, connection: PeerConnection, message: NewVotes) -> None:
        pace = self._rules.rate, self._rules.burst
        bucket = self._bucket(self._brought, connection.peer_id, pace)
        for vote in message.votes:
            if not bucket.take(1, self._now()):
                self.peer.metrics.count("votes_refused", "rate")
                return
            taken = self._take(connection, vote)
            if taken is _Taken.FORGED:
                return
            if taken is _Taken.NEWS:
                self._gossip.add(vote, message.hops, connection.peer_id)
        self._look()

    async def _ask(self, connection: PeerConnection, question: AskVotes) -> None:
        try:
            answer = await connection.request(question, self._rules.ask_seconds)
        except PeerageError:
            self.peer.metrics.count("votes_unanswered")
            return
        asked = frozenset(question.contents)
        for vote in answer.votes:
            if vote.content not in asked or self._take(connection, vote) is _Taken.FORGED:
                return

    def _take(self, connection: PeerConnection, vote: Vote) -> _Taken:
        """Take a vote that a link brought; a forged one ends the link."""
        if vote.voter == self._ballots.own or not self._ballots.is_news(vote, self._wall()):
            return _Taken.NOTHING
        if not vote.is_genuine(self._rules.stamp_bits):
            self.peer.metrics.count("votes_refused", "forged")
            connection.abort(ForgedError("a vote that its voter did not cast, or without its stamp"))
            return _Taken.FORGED
        if self._is_banned(vote.peer_id):
            return _Taken.NOTHING
        if not self._ballots.put(Told(vote, self._home_of(vote, connection)), self._wall()):
            self.peer.metrics.count("votes_refused", "full")
            return _Taken.NOTHING
        self.peer.metrics.count("votes_heard")
        return _Taken.NEWS

    def _home_of(self, vote: Vote, connection: PeerConnection) -> str:
        """Return the subnet that answers for a vote: the voter's own where it is linked, else the teller's."""
        direct = self.peer.connection_to(vote.peer_id)
        return subnet_of((direct or connection).remote.host)

    def _to_ask(self, holders: Iterable[PeerId]) -> list[PeerConnection]:
        believed = (peer_id_of(voter) for voter, _ in self._weights.best())
        wanted = (self.peer.connection_to(peer_id) for peer_id in (*holders, *believed))
        chosen = {each.peer_id: each for each in wanted if each is not None}
        half = dict(list(chosen.items())[: self._rules.links_asked // 2])
        others = [each for each in self._links() if each.peer_id not in half]
        room = self._rules.links_asked - len(half)
        return [*half.values(), *self.peer.rng.sample(others, min(room, len(others)))]

    # --- inside -------------------------------------------------------------------------------------------------------

    async def _cast(self, ballot: Ballot, stamp: int) -> Vote:
        known = self._ballots.get(ballot.content, self._ballots.own)
        now = max(self._wall(), known.vote.cast + 1 if known is not None else 0)  # later than what it replaces
        vote = cast(self.peer.key, ballot, stamp, now)
        self._ballots.put(Told(vote, ""), now)
        self._names[ballot.content] = ballot.name
        self._gossip.add(vote, 0, None)
        if self._store is not None:
            await self._store.save([Saved(Told(vote, ""), ballot.name)])
        return vote

    async def _find_stamp(self, content: bytes) -> int:
        subject = vote_subject(self.peer.key.public_key, content)
        for first in range(0, MAX_STAMP, _TRIES_AT_ONCE):
            tries = range(first, first + _TRIES_AT_ONCE)
            found = await self.peer.in_thread(find_stamp, subject, self._rules.stamp_bits, tries)
            if found is not None:
                return found
        raise AssertionError("the numbers do not end before a stamp is found")

    def _restore(self, saved: Saved) -> None:
        if self._ballots.put(saved.told, self._wall()) and saved.told.vote.voter == self._ballots.own:
            self._names[saved.told.vote.content] = saved.name

    def _saved(self, told: Told) -> Saved:
        own = told.vote.voter == self._ballots.own
        return Saved(told, self._names.get(told.vote.content, "") if own else "")

    def _trust(self, voter: bytes) -> Bond | None:
        peer_id = peer_id_of(voter)
        if self._friends(peer_id):
            return Bond.FRIEND
        return Bond.FOLLOWED if peer_id in self._follows else None

    def _heeds(self, voter: bytes) -> bool:
        return self._weights.is_heeded(voter)

    def _is_friend(self, peer_id: PeerId) -> bool:
        known = self.peer.table.get(peer_id)
        return known is not None and known.friend

    def _is_banned(self, peer_id: PeerId) -> bool:
        known = self.peer.table.get(peer_id)
        return known is not None and known.banned

    def _neighbours(self) -> Sequence[PeerConnection]:
        return self.peer.neighbours()

    def _bucket(self, table: dict[PeerId, TokenBucket], peer_id: PeerId, pace: tuple[float, float]) -> TokenBucket:
        if peer_id not in table:
            table[peer_id] = TokenBucket(*pace, self._now())
        return table[peer_id]

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _wall(self) -> float:
        return self.peer.clock.time()
