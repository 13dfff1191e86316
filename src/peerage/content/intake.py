"""Pieces as they arrive: checked and written in threads, counted when they are good.

Invariant: each piece that was taken ends as verified, as failed, or with its download; its buffer goes back to the pool
unless the write failed. Whoever sent a wrong one is banned from the download. What comes next is not decided here.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from peerage.content.scheduler import Scheduler
from peerage.content.source import SourceLink
from peerage.content.writer import PieceWriter
from peerage.errors import ForgedError, PeerageError, StoreError
from peerage.identity.keys import format_id

if TYPE_CHECKING:
    from peerage.content.download import Download

log = logging.getLogger("peerage.content")


class Intake:
    """Takes the pieces of one run of a download."""

    def __init__(self, download: Download, scheduler: Scheduler, writer: PieceWriter) -> None:
        self._download = download
        self._scheduler = scheduler
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self.uncommitted = 0  # bytes that were written and not yet marked

    def take(self, link: SourceLink, index: int, buffer: memoryview) -> None:
        """Check and write a piece."""
        if not self._scheduler.received(link.peer_id, index, self._loop.time()):
            self._download.buffers.give_back(buffer)
            return
        writing = self._writer.write(index, buffer)
        writing.add_done_callback(partial(self._written, link, index, buffer))

    def _written(self, link: SourceLink, index: int, buffer: memoryview, writing: asyncio.Future[bool]) -> None:
        download, scheduler = self._download, self._scheduler
        if download.scheduler is not scheduler or writing.cancelled():
            return
        error = writing.exception()
        if error is None and writing.result():
            download.buffers.give_back(buffer)
            self.uncommitted += len(buffer)
            download.peer.table.credit(link.peer_id, bytes_from=len(buffer))
            download.swarm.credit(link.peer_id, len(buffer))
            for cancel in scheduler.verified(index):
                download.swarm.cancel_order(cancel.source, cancel.index)
            download.piece_is_here()
        else:
            scheduler.failed(index)
            if error is None:
                self._wrong(link, index)
            else:
                download.fail(error if isinstance(error, PeerageError) else StoreError(str(error)))
        download.swarm.refill()

    def _wrong(self, link: SourceLink, index: int) -> None:
        name = self._download.wanted.target.name
        log.warning("%s sent a wrong piece %d of %s", format_id(link.peer_id), index, name)
        self._download.peer.metrics.count("wrong_pieces")
        self._download.swarm.ban(link.peer_id, ForgedError("it sent a piece that is not the right one"))
