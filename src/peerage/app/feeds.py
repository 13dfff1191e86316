"""Turns what happens in the features into changes for those who follow (`events`).

Invariant: it hears of changes from the features, and asks for no list again and again; what changes often is told a few
times a second at the most, as it stands then, and not even looked at while nobody follows. Only the statistics, and the
notices with them, are taken every second, while somebody follows those.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Final, Generic, NamedTuple, TypeVar

from peerage.app.api import event_models as events
from peerage.app.api.models import Answer, PeerEntry, Share, Transfer, TransferEvent, TransferGone
from peerage.app.api.wish_models import Wish, WishChanged
from peerage.app.events import EventHub
from peerage.errors import LimitError
from peerage.identity.keys import PeerId, format_id
from peerage.peer.connection import PeerConnection
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer

_COALESCE: Final = 0.2  # seconds for which changes of one thing become one
_STATISTICS_SECONDS: Final = 1.0

ItemT = TypeVar("ItemT")
KeyT = TypeVar("KeyT")


class Looks(NamedTuple):
    """How a node shows what can change."""

    transfer: Callable[[bytes], Transfer | None]
    peer: Callable[[PeerId], PeerEntry | None]
    shares: Callable[[], Awaitable[Iterable[Share]]]
    wishes: Callable[[], Iterable[Wish]]
    notices: Callable[[], Sequence[str]]
    statistics: Callable[[float], events.StatisticsEvent]


class Batch(Generic[KeyT]):
    """Things that have changed, told together after a moment."""

    def __init__(self, tell: Callable[[list[KeyT]], None]) -> None:
        self._tell = tell
        self._waiting: dict[KeyT, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, key: KeyT) -> None:
        """Tell of this one soon."""
        self._waiting[key] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_COALESCE, self._flush)

    def close(self) -> None:
        """Tell nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _flush(self) -> None:
        told, self._waiting, self._timer = list(self._waiting), {}, None
        self._tell(told)


class Known(Generic[KeyT, ItemT]):
    """A list as it was told last, to tell the differences."""

    def __init__(self) -> None:
        self._items: dict[KeyT, ItemT] = {}

    def take(self, items: dict[KeyT, ItemT]) -> tuple[list[ItemT], list[KeyT]]:
        """Return what is new or other than before, and what is gone."""
        before, self._items = self._items, items
        return [item for key, item in items.items() if before.get(key) != item], [k for k in before if k not in items]


class Feeds(Service):
    """Listens to the features of one node."""

    name = "feeds"

    def __init__(self, hub: EventHub, looks: Looks) -> None:
        self._hub = hub
        self._looks = looks
        self._transfers: Batch[bytes] = Batch(self._tell_transfers)
        self._peers: Batch[PeerId] = Batch(self._tell_peers)
        self._lists: Batch[events.Kind] = Batch(self._look_at_lists)
        self._searches: Batch[int] = Batch(self._tell_searches)
        self._running: dict[int, events.SearchState] = {}
        self._search_number = 0
        self._shares: Known[str, Share] = Known()
        self._wishes: Known[int, Wish] = Known()
        self._notices: list[str] = []
        self._looking = asyncio.Lock()

    def stabilizers(self) -> Iterable[Stabilizer]:
        """Return the statistics."""
        return (Stabilizer(self._tell_statistics, _STATISTICS_SECONDS, jitter=0.0),)

    async def start(self) -> None:
        """Remember how the lists stand that are compared."""
        await self._tell_shares()
        self._tell_wishes()

    async def stop(self) -> None:
        """Tell nothing more."""
        for batch in (self._transfers, self._peers, self._lists, self._searches):
            batch.close()

    # --- what the features say --------------------------------------------------------------------------------------

    def transfer(self, content: bytes) -> None:
        """Note that a download is new, has changed or is gone."""
        self._note("transfers", self._transfers, content)

    def peer_changed(self, peer_id: PeerId) -> None:
        """Note that a peer is another in the eyes of the owner."""
        self._note("peers", self._peers, peer_id)

    def peer_connected(self, connection: PeerConnection) -> None:
        """Note a neighbour that came."""
        self.peer_changed(connection.peer_id)

    def peer_disconnected(self, connection: PeerConnection) -> None:
        """Note a neighbour that left."""
        self.peer_changed(connection.peer_id)

    def shares_changed(self) -> None:
        """Note that shares came, changed or went."""
        self._lists.add("shares")

    def wishes_changed(self) -> None:
        """Note that a wish came, found something or went."""
        self._lists.add("wishes")

    @contextmanager
    def search(self, text: str) -> Iterator[Callable[[int], None]]:
        """Tell of a search for as long as the block runs; call what it gives with the number of hits so far."""
        self._search_number += 1
        number = self._search_number

        def found(hits: int, *, running: bool = True) -> None:
            self._running[number] = events.SearchState(id=number, text=text, hits=hits, running=running)
            self._note("searches", self._searches, number)

        found(0)
        try:
            yield found
        finally:
            last = self._running[number].hits
            found(last, running=False)
            if not self._hub.wanted("searches"):
                del self._running[number]

    # --- telling ----------------------------------------------------------------------------------------------------

    def _note(self, kind: events.Kind, batch: Batch[KeyT], key: KeyT) -> None:
        if self._hub.wanted(kind):
            batch.add(key)
        else:
            self._hub.skip(kind)

    def _tell_transfers(self, contents: list[bytes]) -> None:
        for content in contents:
            view = self._looks.transfer(content)
            gone = TransferGone(content_id=format_id(content))
            self._hub.publish("transfers", TransferEvent(transfer=view) if view is not None else gone)

    def _tell_peers(self, peer_ids: list[PeerId]) -> None:
        for peer_id in peer_ids:
            if (view := self._looks.peer(peer_id)) is not None:
                self._hub.publish("peers", events.PeerEvent(peer=view))

    def _tell_searches(self, numbers: list[int]) -> None:
        for number in numbers:
            state = self._running[number]
            if not state.running:
                del self._running[number]
            self._hub.publish("searches", state)

    def _look_at_lists(self, kinds: list[events.Kind]) -> None:
        if "wishes" in kinds:
            self._tell_wishes()
        if "shares" in kinds:
            with suppress(LimitError):  # too busy: the next change brings this one, too
                self.peer.spawn(self._tell_shares(), "shares")

    def _tell_wishes(self) -> None:
        changed, gone = self._wishes.take({wish.id: wish for wish in self._looks.wishes()})
        self._publish("wishes", [WishChanged(wish=wish) for wish in changed], [events.WishLeft(id=n) for n in gone])

    async def _tell_shares(self) -> None:
        async with self._looking:
            changed, gone = self._shares.take({share.path: share for share in await self._looks.shares()})
        told = [events.ShareChanged(share=share) for share in changed]
        self._publish("shares", told, [events.ShareGone(path=path) for path in gone])

    def _publish(self, kind: events.Kind, *lists: Sequence[Answer]) -> None:
        for event in chain(*lists):
            self._hub.publish(kind, event)

    def _tell_statistics(self) -> None:
        if self._hub.followed("statistics"):
            self._hub.publish("statistics", self._looks.statistics(time.time()))
        if self._hub.followed("notices") and (notices := list(self._looks.notices())) != self._notices:
            self._notices = notices
            self._hub.publish("notices", events.NoticesChanged(notices=notices))
