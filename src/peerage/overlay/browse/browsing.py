"""Browsing: shows this node's shares to others, page by page, and looks through theirs.

Invariant: others see what they would find (public shares, friends those for friends, nobody what is shared by link
only), if the owner of this node lets them look at all. Of what another peer shows, only records that it signed itself
and that belong where it was asked are given out; one page costs a bounded amount of work, on either side.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Final

from peerage.catalogue.record import Record, encode
from peerage.catalogue.record_finder import Audience, Page
from peerage.errors import ForgedError, LimitError, ProtocolError, RefusedError
from peerage.identity.keys import PeerId
from peerage.limits import (
    ANSWER_RECORDS,
    BROWSE_BURST,
    BROWSE_PAGE,
    BROWSE_PAGES,
    BROWSE_PAGES_SCANNED,
    BROWSE_RATE,
    BROWSE_RECORDS,
    MAX_PART_PAYLOAD,
)
from peerage.overlay.browse.messages import Browse, Shelved
from peerage.overlay.checks import Refused, check_record
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.peer.limiter import TokenBucket
from peerage.peer.service import Service
from peerage.wire.message import ErrorCode, Message

Pages = Callable[[int, Audience, int], Awaitable[Page]]
"""Return a page of this node's own records after a row, for an audience, of so many records; raises StoreError."""

_SECONDS: Final = 20.0  # for one page over a slow link


class Browsing(Service):
    """Answers from `pages`; `admits` says whether somebody (a friend: True) may look at all."""

    name = "browse"

    def __init__(self, pages: Pages, admits: Callable[[bool], bool] = lambda _friend: True) -> None:
        self._pages = pages
        self.admits = admits
        self._buckets: dict[PeerId, TokenBucket] = {}  # of linked peers, so bounded by their number
        self._busy: set[PeerId] = set()

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Return the one question."""
        return ((Browse, self._on_browse),)

    def peer_disconnected(self, connection: PeerConnection) -> None:
        """Forget its rate."""
        self._buckets.pop(connection.peer_id, None)

    def look(self, connection: PeerConnection, path: Sequence[str] = ()) -> Listing:
        """Look through what the peer at the other end shares below `path`, which names folders from the outermost."""
        return Listing(connection, tuple(path))

    # --- answering --------------------------------------------------------------------------------------------------

    async def _on_browse(self, connection: PeerConnection, message: Browse) -> AsyncIterator[Shelved]:
        known = self.peer.table.get(connection.peer_id)
        friend = known is not None and known.friend
        if not self.admits(friend):
            raise RefusedError(ErrorCode.FORBIDDEN, "this peer does not show its shares; search for what you look for")
        self._admit(connection.peer_id)
        self._busy.add(connection.peer_id)
        try:
            found, after = await self._find(message, Audience.FRIEND if friend else Audience.ANYONE)
            self.peer.metrics.count("browse_records_shown", amount=len(found))
            *parts, last = _cut(found)
            for part in parts:
                yield Shelved(part)
            yield Shelved(last, after)
        finally:
            self._busy.discard(connection.peer_id)

    def _admit(self, peer_id: PeerId) -> None:
        now = asyncio.get_running_loop().time()
        bucket = self._buckets.get(peer_id)
        if bucket is None:
            bucket = self._buckets[peer_id] = TokenBucket(BROWSE_RATE, BROWSE_BURST, now)
        if peer_id in self._busy or len(self._busy) >= BROWSE_PAGES or not bucket.take(1.0, now):
            self.peer.metrics.count("browse_refused")
            raise LimitError("BROWSE_RATE", "ours", "one page at a time, and not too many; try again in a moment")

    async def _find(self, message: Browse, audience: Audience) -> tuple[list[bytes], int]:
        """Return a page of what is below the path, and where the next one begins; looks at a bounded number of rows."""
        found: list[bytes] = []
        after = message.after
        for _ in range(BROWSE_PAGES_SCANNED):
            page = await self._pages(after, audience, BROWSE_PAGE)
            found += [encode(record) for record in page.records if _is_below(record, message.path)]
            after = page.after or 0
            if found or not after:
                break
        return found, after


class Listing:
    """A look through one peer's shares; iterate over it to have each record as it comes.

    `more` says afterwards that there was more than BROWSE_RECORDS, `refused` how much of it was not as it must be.
    """

    def __init__(self, connection: PeerConnection, path: tuple[str, ...]) -> None:
        self._connection = connection
        self._path = path
        self._known: set[bytes] = set()  # bounded by BROWSE_RECORDS
        self.more = False
        self.refused = 0

    async def __aiter__(self) -> AsyncGenerator[Record, None]:
        """Yield each record once.

        Raises LinkError, RefusedError or LimitError when the other peer cannot or does not want to, ProtocolError when
        it goes round in circles.
        """
        after = 0
        while True:
            async with aclosing(self._page(after)) as page:
                last = after
                async for part in page:
                    for record in self._checked(part.records):
                        yield record
                    if len(self._known) >= BROWSE_RECORDS:
                        self.more = True
                        return
                    last = part.after
                    await asyncio.sleep(0)  # checking a part takes milliseconds: others get their turn in between
            if not last:
                return
            if last <= after:
                raise ProtocolError("the other peer shows the same page again")
            after = last

    async def _page(self, after: int) -> AsyncGenerator[Shelved, None]:
        taken = 0
        async for part in self._connection.request_parts(Browse(self._path, after), _SECONDS):
            taken += len(part.records)
            if taken > BROWSE_PAGE:
                raise ProtocolError(f"a page of more than {BROWSE_PAGE} records")
            yield part

    def _checked(self, raw: Iterable[bytes]) -> Iterable[Record]:
        for each in raw:
            record = check_record(each, self._connection.public_key)
            if isinstance(record, Refused) or each in self._known or not _is_below(record, self._path):
                self.refused += 1
                continue
            try:
                record.verify()
            except ForgedError:
                self.refused += 1
                continue
            self._known.add(each)
            yield record


def _is_below(record: Record, path: tuple[str, ...]) -> bool:
    return record.path[: len(path)] == path


def _cut(records: Sequence[bytes]) -> list[tuple[bytes, ...]]:
    """Cut records into parts of which each fits a message; always at least one, perhaps empty."""
    parts: list[list[bytes]] = [[]]
    size = 0
    for record in records:
        size += len(record)
        if parts[-1] and (len(parts[-1]) >= ANSWER_RECORDS or size > MAX_PART_PAYLOAD):
            parts.append([])
            size = len(record)
        parts[-1].append(record)
    return [tuple(part) for part in parts]
