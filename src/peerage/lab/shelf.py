"""The shelves of simulated nodes: what overlay.shelf.Shelf asks for, out of one table for the whole world.

A database for each of ten thousand nodes would be most of the work. Here a query is worked out once for all items of
the world, with `Query.matches` itself, and each node looks up which of its own are among the answers; records are real
and signed by their holder, each when it is first needed.
Invariant: a shelf answers as overlay.shelf.CatalogueShelf over the same records does, in the same order; only when far
more match than are wanted, which a database does not rank in full, the choice may differ. Everything here is public.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from peerage.catalogue.query import HolderIs, Query, Words
from peerage.catalogue.ranking import rank
from peerage.catalogue.record import Description, Record, Visibility
from peerage.catalogue.record_finder import Audience
from peerage.identity.keys import KEY_BYTES, PeerKey
from peerage.lab.clock import EPOCH
from peerage.lab.holdings import Item

_KEPT_QUERIES: Final = 256


class Library:
    """All items of a world, searchable; shared by its shelves."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self._by_word: dict[str, list[Item]] = defaultdict(list)
        self._drafts: dict[int, Record] = {}
        self._answers: OrderedDict[str, frozenset[int]] = OrderedDict()
        for item in items:
            for word in dict.fromkeys(self._draft(item).words()):
                self._by_word[word].append(item)

    def answering(self, query: Query) -> frozenset[int]:
        """Return the numbers of the items that answer a query, whoever holds them."""
        found = self._answers.get(query.text)
        if found is None:
            found = frozenset(item.number for item in self._candidates(query) if query.matches(self._draft(item)))
            self._answers[query.text] = found
            if len(self._answers) > _KEPT_QUERIES:
                self._answers.popitem(last=False)
        return found

    def _candidates(self, query: Query) -> Sequence[Item]:
        """Return the items of the rarest whole word that all answers must have, or all items."""
        words = [
            word
            for group in query.wanted
            if len(group.terms) == 1 and isinstance(term := group.terms[0], Words)
            for word in term.words[: len(term.words) - term.prefix]
        ]
        return min((self._by_word.get(word, ()) for word in words), key=len) if words else self._items

    def _draft(self, item: Item) -> Record:
        draft = self._drafts.get(item.number)
        if draft is None:
            draft = self._drafts[item.number] = Record.draft(bytes(KEY_BYTES), describe(item))
        return draft


class HeldShelf:
    """What one node holds, as an overlay asks for it (overlay.shelf.Shelf)."""

    def __init__(self, library: Library, items: Sequence[Item], key: PeerKey) -> None:
        self._library = library
        self._items = {item.number: item for item in items}
        self._contents = {item.content: item for item in items}
        self._key = key
        self._signed: dict[int, Record] = {}

    def __len__(self) -> int:
        return len(self._items)

    def records(self) -> list[Record]:
        """Return the signed records of everything on it."""
        return [self._record(item) for item in self._items.values()]

    async def find(self, query: Query, limit: int, audience: Audience) -> Sequence[Record]:  # noqa: ARG002 -- all is public
        """Return at most `limit` records that answer the query."""
        return self.find_now(query, limit)

    def find_now(self, query: Query, limit: int) -> Sequence[Record]:
        """Return them at once."""
        if _names_a_holder(query):
            found = [record for record in self.records() if query.matches(record)]
        else:
            answers, items = self._library.answering(query), self._items
            found = [self._record(items[number]) for number in sorted(answers) if number in items]
        return rank(query, found)[:limit] if found else ()

    async def visibility(self, content_id: bytes) -> Visibility | None:
        """Return PUBLIC for everything on it."""
        return Visibility.PUBLIC if content_id in self._contents else None

    async def own(self) -> AsyncIterator[Sequence[Record]]:
        """Go through everything on it."""
        yield self.records()

    def fetching(self) -> Iterable[bytes]:
        """Return nothing: nobody downloads here."""
        return ()

    def _record(self, item: Item) -> Record:
        record = self._signed.get(item.number)
        if record is None:
            record = self._signed[item.number] = Record.sign(self._key, describe(item), int(EPOCH))
        return record


def describe(item: Item) -> Description:
    """Return what a sharer of an item says about it."""
    return Description(content=item.content, name=item.name, size=item.size, mime=item.mime)


def _names_a_holder(query: Query) -> bool:
    """Whether an item alone does not decide if a record answers."""
    return any(isinstance(term, HolderIs) for term in (*query.terms(), *query.unwanted))
