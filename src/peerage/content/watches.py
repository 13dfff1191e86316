"""Who is told what comes in here: the links that asked for a content, and how much of its news they know.

Invariant: each link watches a bounded number of contents, and the number of links is bounded; a link is told of each
piece at most once, in order. Whether it may have the content was decided before it came here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from peerage.content.holding import Holding
from peerage.content.messages import MAX_NOTICE_PIECES, HavePieces
from peerage.errors import LimitError, PeerageError
from peerage.limits import MAX_WATCHERS, WANTED_PER_LINK
from peerage.peer.connection import PeerConnection


class Watched:
    """One content that a link asked for, where it comes from, and how many of the pieces that came it knows of."""

    __slots__ = ("cursor", "holding")

    def __init__(self, holding: Holding, cursor: int) -> None:
        self.holding = holding
        self.cursor = cursor


class Watches:
    """What each link asked for."""

    def __init__(self) -> None:
        self._links: dict[PeerConnection, dict[bytes, Watched]] = {}

    def watch(self, connection: PeerConnection, content: bytes, holding: Holding) -> None:
        """Tell a link from now on what comes; raises LimitError when there are too many."""
        watched = self._links.get(connection)
        if watched is None:
            if len(self._links) >= MAX_WATCHERS:
                self.prune()
            if len(self._links) >= MAX_WATCHERS:
                raise LimitError("MAX_WATCHERS", "ours", f"{MAX_WATCHERS} links are served already")
            watched = self._links[connection] = {}
        watched.pop(content, None)
        if len(watched) >= WANTED_PER_LINK:
            del watched[next(iter(watched))]
        watched[content] = Watched(holding, holding.news(0)[1])

    def holding(self, connection: PeerConnection, content: bytes) -> Holding | None:
        """Return what a link asked for."""
        watched = self._links.get(connection, {}).get(content)
        return watched.holding if watched is not None else None

    def replace(self, connection: PeerConnection, content: bytes, holding: Holding) -> None:
        """Serve a content from elsewhere: from the finished file, say, instead of the running download."""
        watched = self._links.get(connection, {}).get(content)
        if watched is not None and watched.holding is not holding:
            self._tell(connection, content, watched)
            watched.holding, watched.cursor = holding, 0

    def forget(self, content: bytes, connection: PeerConnection | None = None) -> None:
        """Serve a content no more, over this link or over any."""
        for each in self._links if connection is None else (connection,):
            self._links.get(each, {}).pop(content, None)

    def links_to(self, content: bytes) -> list[PeerConnection]:
        """Return the links that asked for a content."""
        return [connection for connection, watched in self._links.items() if content in watched]

    def prune(self) -> None:
        """Forget links that have ended."""
        for connection in [each for each in self._links if not each.is_open]:
            del self._links[connection]

    def tell_news(self) -> None:
        """Tell every link what has come since it was told last; one that does not read is told later."""
        for connection, watched in self._links.items():
            for content, each in watched.items():
                self._tell(connection, content, each)

    def __iter__(self) -> Iterator[PeerConnection]:
        return iter(self._links)

    def __len__(self) -> int:
        return len(self._links)

    def _tell(self, connection: PeerConnection, content: bytes, watched: Watched) -> None:
        fresh, cursor = watched.holding.news(watched.cursor)
        try:
            for notice in _notices(content, fresh):
                connection.send(notice)
        except PeerageError:
            return  # its link is full, or gone: then it is not told twice what it knows, but later or never
        watched.cursor = cursor


def _notices(content: bytes, indices: list[int]) -> Iterable[HavePieces]:
    for start in range(0, len(indices), MAX_NOTICE_PIECES):
        yield HavePieces(content, tuple(indices[start : start + MAX_NOTICE_PIECES]))  # type: ignore[arg-type]  # a ContentId
