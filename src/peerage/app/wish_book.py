"""The saved searches of a node: what they are, when each is due, what they have found; and how that is kept on disk.

Invariant: every list is bounded, the oldest results give way; a content is reported once for a wish, even after its
result gave way. A wish that finds nothing new is searched for more and more seldom, one that does is soon tried again.
Nothing here searches; time and chance are arguments.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from peerage.app.api.models import Hit
from peerage.app.naming import UnknownNameError
from peerage.catalogue.query_parser import parse
from peerage.errors import LimitError, LocalError
from peerage.limits import (
    MAX_WISH_KNOWN,
    MAX_WISH_RESULTS,
    MAX_WISHES,
    WISH_HOLDERS,
    WISH_PAUSE,
    WISH_PAUSE_MAX,
    WISH_RETRY,
)
from peerage.whole_file import write_whole

log = logging.getLogger("peerage.app")

_JITTER: Final = 0.25  # of a pause, either way: a thousand nodes must not search for one thing together


class Found(msgspec.Struct):
    """One result of a wish; `found` in seconds since 1970."""

    hit: Hit
    found: float
    seen: bool = False
    downloaded: bool = False


class SavedWish(msgspec.Struct, kw_only=True):
    """One saved search; times in seconds since 1970, `pause` is what lies between two searches now."""

    id: int
    text: str
    added: float
    due: float
    pause: float = WISH_PAUSE
    searched: float | None = None
    get_bytes: int = 0
    got_bytes: int = 0
    note: str = ""
    results: list[Found] = []
    known: list[str] = []  # content ids that were reported, the oldest first

    @property
    def new(self) -> int:
        """How many results were not seen yet."""
        return sum(not result.seen for result in self.results)


class _Kept(msgspec.Struct, kw_only=True):
    """What stands in the file."""

    last_id: int = 0
    wishes: list[SavedWish] = []


class WishBook:
    """The wishes by their number."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last_id = 0
        self._wishes: dict[int, SavedWish] = {}

    def all(self) -> list[SavedWish]:
        """Return the wishes in the order in which they were made."""
        return list(self._wishes.values())

    def get(self, wish_id: int) -> SavedWish:
        """Return one wish; raises UnknownNameError."""
        if wish_id not in self._wishes:
            raise UnknownNameError(f"there is no wish {wish_id}; see them with: peerage wish list")
        return self._wishes[wish_id]

    def add(self, text: str, now: float, get_bytes: int = 0) -> SavedWish:
        """Save a search, due at once; raises QueryError, LimitError, or LocalError when it is there already."""
        parse(text)
        if any(wish.text == text for wish in self._wishes.values()):
            raise LocalError(f"{text!r} is wished for already")
        if len(self._wishes) >= MAX_WISHES:
            raise LimitError("MAX_WISHES", "ours", f"there are {MAX_WISHES} wishes, and no room for more; remove some")
        self._last_id += 1
        wish = SavedWish(id=self._last_id, text=text, added=now, due=now, get_bytes=get_bytes)
        self._wishes[wish.id] = wish
        return wish

    def remove(self, wish_id: int) -> SavedWish:
        """Forget a wish and what it found."""
        wish = self.get(wish_id)
        del self._wishes[wish_id]
        return wish

    def __contains__(self, wish: SavedWish) -> bool:
        return self._wishes.get(wish.id) is wish

    def next_due(self, now: float) -> SavedWish | None:
        """Return the wish that has waited longest for its turn, None when none is due."""
        due = [wish for wish in self._wishes.values() if wish.due <= now]
        return min(due, key=lambda wish: wish.due, default=None)

    def postpone(self, wish: SavedWish, now: float, why: str) -> None:
        """Nobody could be asked: try again before long."""
        wish.due, wish.note = now + WISH_RETRY, why

    def searched(self, wish: SavedWish, hits: Iterable[Hit], now: float, chance: float) -> list[Found]:
        """Note what a search found; returns what is new. `chance`, from 0 to 1, spreads the next search in time."""
        known = set(wish.known)
        fresh = [Found(_short(hit), now) for hit in hits if hit.content_id not in known and not hit.mine]
        wish.results = [*fresh, *wish.results][:MAX_WISH_RESULTS]
        wish.known = [*wish.known, *(found.hit.content_id for found in fresh)][-MAX_WISH_KNOWN:]
        wish.pause = WISH_PAUSE if fresh or wish.searched is None else min(2 * wish.pause, WISH_PAUSE_MAX)
        wish.searched, wish.note = now, ""
        wish.due = now + wish.pause * (1 + _JITTER * (2 * chance - 1))
        return fresh

    def see(self, wish_id: int) -> SavedWish:
        """Note that the results were looked at."""
        wish = self.get(wish_id)
        for result in wish.results:
            result.seen = True
        return wish

    # --- on disk ----------------------------------------------------------------------------------------------------

    def load(self) -> str:
        """Read what `save` wrote; blocks. Returns a notice when the file was damaged and moved aside."""
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            return ""
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("the wishes in %s cannot be read: %s", self._path, error)
            aside = self._path.with_suffix(".damaged")
            try:
                self._path.replace(aside)
            except OSError:
                return f"the list of wishes {self._path} cannot be read"
            return f"the list of wishes was damaged; it is now {aside}, and a new one was begun"
        self._last_id = kept.last_id
        self._wishes = {wish.id: wish for wish in kept.wishes[:MAX_WISHES]}
        return ""

    def encoded(self) -> bytes:
        """Return what is to be written, as it is now."""
        return msgspec.json.encode(_Kept(last_id=self._last_id, wishes=self.all()))

    def save(self, encoded: bytes) -> None:
        """Write it, all or nothing; blocks. A disk that refuses is noted in the log, and tried again next time."""
        try:
            write_whole(self._path, encoded)
        except OSError as error:
            log.warning("the wishes cannot be saved: %s", error)


def _short(hit: Hit) -> Hit:
    return msgspec.structs.replace(hit, holders=hit.holders[:WISH_HOLDERS])
