"""Searches in the table: which keys are looked up, in which order, and when enough was asked.

Invariant: a search asks for one word at a time, the rarest first, and for the next one only while results are wanted;
the other terms are checked by those who answer and again here. Its walks end with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final

import msgspec

from peerage.catalogue.query import Query
from peerage.catalogue.query_parser import parse
from peerage.errors import LimitError, PeerageError
from peerage.identity.address import Address
from peerage.limits import MAX_OWN_SEARCHES
from peerage.overlay.base import FoundT, Hit, Holder, LocateRequest, Request, Search, SearchRequest
from peerage.overlay.dht.contacts import number_of
from peerage.overlay.dht.messages import Fetch, Kind, Look
from peerage.overlay.dht.node import DhtNode, Errand
from peerage.overlay.dht.quest import HitReader, HolderReader, More, Quest, Reader, Told
from peerage.overlay.dht.records import Value, is_signed_value, key_of_value, key_of_word
from peerage.overlay.dht.words import RarityOf, words_to_ask
from peerage.overlay.locators import locator_of

_PAGES: Final = 32  # further answers of one peer that has more entries than one message holds
_TELLERS: Final = 3  # peers of which the rest is asked: all keep the same
_HERE: Final = Address("", 0)


class Finding:
    """The searches of one node."""

    def __init__(self, node: DhtNode, rarity: RarityOf) -> None:
        self._node = node
        self._rarity = rarity
        self._open = 0

    def search(self, request: SearchRequest) -> Search[Hit]:
        """Search for records."""
        query = parse(request.text)
        words = words_to_ask(query, self._rarity, self._node.rules.search_words)
        fetches = [Fetch(Kind.POSTINGS, key_of_word(word), text=query.text) for word in words]
        return self._begin(request, fetches, HitReader(self._node, query), query)

    def locate(self, request: LocateRequest) -> Search[Holder]:
        """Search for providers."""
        locator = locator_of(request.content_id)
        fetches = [Fetch(Kind.PROVIDERS, locator)]
        return self._begin(request, fetches, HolderReader(self._node, locator), None)

    async def value(self, public_key: bytes, salt: bytes) -> Value | None:
        """Return the newest value of a key that anybody keeps."""
        key = key_of_value(public_key, salt)
        fetch = Fetch(Kind.VALUE, key)
        best = BestValue(key)
        errand = Errand(number_of(key), self._node.now() + self._node.rules.deadline, fetch)
        await self._node.cover(errand, best)
        own = self._node.keeper.find(fetch, None, self._node.peer.clock.time(), near=True)
        if own is not None and own.value is not None:
            best.offer(own.value)
        return best.value

    # --- inside -----------------------------------------------------------------------------------------------------

    def _begin(
        self, request: Request, fetches: Sequence[Fetch], read: Reader[FoundT], query: Query | None
    ) -> Search[FoundT]:
        quest = Quest(self._node, request, read)
        return Search(self._results(quest, fetches, query), quest.cost)

    async def _results(
        self, quest: Quest[FoundT], fetches: Sequence[Fetch], query: Query | None
    ) -> AsyncGenerator[FoundT, None]:
        if self._open >= MAX_OWN_SEARCHES:
            raise LimitError(
                "MAX_OWN_SEARCHES", "ours", f"{MAX_OWN_SEARCHES} searches are under way; wait until one ends"
            )
        self._open += 1
        until = quest.begin()
        task = self._node.peer.spawn(self._look_up(quest, fetches, query, until), "dht-search")
        try:
            async with aclosing(quest.results()) as results:
                async for found in results:
                    yield found
        finally:
            self._open -= 1
            quest.close()
            task.cancel()

    async def _look_up(self, quest: Quest[Any], fetches: Sequence[Fetch], query: Query | None, until: float) -> None:
        try:
            for fetch in fetches:
                deadline = min(until, self._node.now() + self._node.rules.deadline)
                await self._node.cover(Errand(number_of(fetch.key), deadline, fetch), quest)
                await self._turn_pages(quest, fetch, until)
                own = self._node.keeper.find(fetch, query, self._node.peer.clock.time(), near=True)
                if own is not None:
                    quest.offer(Told(own, self._node.peer.peer_id, _HERE, 1))
        finally:
            quest.end()

    async def _turn_pages(self, quest: Quest[Any], fetch: Fetch, until: float) -> None:
        """Ask for what did not go into one answer."""
        tellers, quest.more = quest.more[:_TELLERS], []
        for teller in tellers:
            await self._read_on(quest, teller, fetch, until)

    async def _read_on(self, quest: Quest[Any], teller: More, fetch: Fetch, until: float) -> None:
        told = teller.told
        for _ in range(_PAGES):
            message = Look(fetch.key, self._node.serving, msgspec.structs.replace(fetch, skip=told))
            if not quest.may_ask(message):
                return
            try:
                async with asyncio.timeout_at(until):
                    seen = await teller.connection.request(message)
            except (PeerageError, TimeoutError):
                quest.unanswered()
                return
            quest.answered(teller.connection, seen, 1)
            rest = quest.more.pop() if quest.more else None
            if rest is None or not rest.told:
                return
            told += rest.told


class BestValue:
    """Watches a walk for the newest true value of a key."""

    def __init__(self, key: bytes) -> None:
        self.value: Value | None = None
        self._key = key

    def may_ask(self, message: Look) -> bool:  # noqa: ARG002 -- a Watcher
        """Let every question pass: the walk has bounds of its own."""
        return True

    def answered(self, connection: Any, seen: Any, hops: int) -> bool:  # noqa: ARG002 -- a Watcher
        """Look at the value that came along, if one did."""
        if seen.found is not None and seen.found.value is not None:
            self.offer(seen.found.value)
        return True

    def unanswered(self) -> None:
        """Go on."""

    def offer(self, value: Value) -> None:
        """Take a value if it is newer than what is known, belongs here and is signed."""
        newer = self.value is None or value.seq > self.value.seq
        if newer and value.key == self._key and is_signed_value(value):
            self.value = value
