"""Saved searches at work: searched for in the background, seldom and for little, and told about.

Invariant: one wish is searched for at a time, within a small budget; nothing is downloaded unless the wish says so, and
then never more bytes in all than it says. What is saved, and when a wish is due, is wish_book.py's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import msgspec

from peerage.app.api import models
from peerage.app.api import wish_models as views
from peerage.app.recent import RecentHits
from peerage.app.searching import SearchRun, Wish
from peerage.app.wish_book import Found, SavedWish, WishBook
from peerage.errors import PeerageError
from peerage.limits import WISH_BYTES, WISH_HITS, WISH_LOOK, WISH_MESSAGES, WISH_SECONDS
from peerage.overlay.base import Budget
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer

_BUDGET: Final = Budget(WISH_MESSAGES, WISH_BYTES)

Searching = Callable[[Wish], SearchRun]
Getting = Callable[[models.Hit], Awaitable[object]]


class Wishes(Service):
    """The wishes of this node; `search` begins a search that nobody watches, `get` a download."""

    name = "wishes"

    def __init__(self, book: WishBook, search: Searching, get: Getting, recent: RecentHits) -> None:
        self._book = book
        self._search = search
        self._get = get
        self._recent = recent
        self.watchers: list[Callable[[], None]] = []  # hear when a wish is new, has changed or is gone
        self.busy = False  # whether a search goes on
        self.notice = ""

    # --- what a person does -----------------------------------------------------------------------------------------

    async def add(self, text: str, get_bytes: int = 0) -> views.Wish:
        """Save a search; it is made soon, and then from time to time. Raises what WishBook.add does."""
        wish = self._book.add(text.strip(), self._now(), get_bytes)
        await self._save()
        shown = _view(wish)
        if not self.busy:
            self.peer.spawn(self.look(), "wish")
        return shown

    async def remove(self, wish_id: int) -> views.Wish:
        """Forget a saved search; raises UnknownNameError."""
        wish = self._book.remove(wish_id)
        await self._save()
        return _view(wish)

    def all(self) -> list[views.Wish]:
        """Return the saved searches in the order in which they were made."""
        return [_view(wish) for wish in self._book.all()]

    def results(self, wish_id: int) -> list[views.WishResult]:
        """Return what a saved search has found, the newest first; raises UnknownNameError."""
        return _results(self._book.get(wish_id))

    async def see(self, wish_id: int) -> views.Wish:
        """Note that the results were looked at; from now on, `get` takes their numbers."""
        wish = self._book.see(wish_id)
        hits = self._recent.begin()
        hits.update({result.hit.number: result.hit for result in _results(wish)})
        await self.peer.in_thread(self._recent.save)
        await self._save()
        return _view(wish)

    @property
    def notices(self) -> list[str]:
        """What the owner of this node should know: what was found and not seen yet."""
        fresh = [wish for wish in self._book.all() if wish.new]
        told = [f"{wish.new} new for your wish {wish.text!r}: peerage wish results {wish.id}" for wish in fresh]
        return [*filter(None, [self.notice]), *told]

    # --- the service ------------------------------------------------------------------------------------------------

    def stabilizers(self) -> Iterable[Stabilizer]:
        """Return the look for a wish that is due."""
        return (Stabilizer(self.look, WISH_LOOK),)

    async def start(self) -> None:
        """Remember the wishes of the last run."""
        self.notice = await self.peer.in_thread(self._book.load)

    async def look(self) -> None:
        """Search for the wish that has waited longest, if one is due and no other search goes on."""
        wish = self._book.next_due(self._now())
        if wish is None or self.busy:
            return
        if not self.peer.neighbours():
            self._book.postpone(wish, self._now(), "nobody is there to be asked")
            self._changed()
            return
        self.busy = True
        try:
            await self._search_for(wish)
        finally:
            self.busy = False

    async def _search_for(self, wish: SavedWish) -> None:
        run = self._search(Wish(text=wish.text, limit=WISH_HITS, seconds=WISH_SECONDS, budget=_BUDGET))
        async for _ in run:
            pass
        if wish not in self._book:
            return  # taken back meanwhile
        fresh = self._book.searched(wish, run.ranked(), self._now(), self.peer.rng.random())
        self.peer.metrics.count("wishes_searched")
        self.peer.metrics.count("wishes_found", amount=len(fresh))
        await self._download(wish, fresh)
        await self._save()

    async def _download(self, wish: SavedWish, fresh: list[Found]) -> None:
        """Begin to download what is new, as far as the wish allows it: best match first, and whole files only."""
        for found in fresh:
            size = found.hit.size
            if found.hit.type == "folder" or not 0 < size <= wish.get_bytes - wish.got_bytes or _is_suspect(found.hit):
                continue
            try:
                await self._get(found.hit)
            except PeerageError as error:
                wish.note = str(error)
                continue
            wish.got_bytes += size
            found.downloaded = True

    def _changed(self) -> None:
        for watcher in self.watchers:
            watcher()

    async def _save(self) -> None:
        self._changed()
        await self.peer.in_thread(self._book.save, self._book.encoded())

    def _now(self) -> float:
        return self.peer.clock.time()


def _is_suspect(hit: models.Hit) -> bool:
    """Whether something speaks against a hit; then nobody downloads it without having looked."""
    return hit.trust is not None and hit.trust.standing != "show"


def _view(wish: SavedWish) -> views.Wish:
    return views.Wish(
        id=wish.id,
        text=wish.text,
        added=wish.added,
        searched=wish.searched,
        due=wish.due,
        results=len(wish.results),
        new=wish.new,
        get_bytes=wish.get_bytes,
        got_bytes=wish.got_bytes,
        note=wish.note,
    )


def _results(wish: SavedWish) -> list[views.WishResult]:
    return [
        views.WishResult(
            hit=msgspec.structs.replace(result.hit, number=number),
            found=result.found,
            new=not result.seen,
            downloaded=result.downloaded,
        )
        for number, result in enumerate(wish.results, 1)
    ]
