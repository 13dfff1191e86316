"""What a person can order about transfers: who is first, how fast each may be, which files, and what leaves the list.

Invariant: what is refused has changed nothing. What comes from a peer of 2007 cannot be ordered: it sends a file as it
likes; it can only be forgotten.
"""

from __future__ import annotations

import asyncio
from typing import Final

from peerage.app.api.models import LevelName
from peerage.app.api.transfer_models import FileLevel, StateName, TransferSource
from peerage.app.classic_port import ClassicPort
from peerage.app.fetching import AnyDownload, Fetching
from peerage.classic.downloads import OldDownload
from peerage.content.download import Download
from peerage.content.line import Where
from peerage.content.picker import Priority
from peerage.content.status import ENDED, DownloadState
from peerage.content.swarm import Contact
from peerage.content.transfers import Transfers
from peerage.errors import LocalError
from peerage.identity.keys import format_id
from peerage.peer.peer import Peer

_LEVELS: Final[dict[LevelName, int]] = {"low": -1, "normal": 0, "high": 1}


class Ordering:
    """The owner's orders."""

    def __init__(self, peer: Peer, fetching: Fetching, transfers: Transfers, classic: ClassicPort) -> None:
        self._peer = peer
        self._fetching = fetching
        self._transfers = transfers
        self._classic = classic

    async def move(self, said: str, to: Where) -> AnyDownload:
        """Let one stand elsewhere in the queue; raises LocalError for one that has no place there."""
        download = self._ours(said)
        await self._transfers.move(download.content_id, to)
        return download

    async def limit(self, said: str, down: int) -> AnyDownload:
        """Limit the speed of one, in bytes a second; 0 is no limit of its own."""
        download = self._ours(said)
        await self._transfers.set_limit(download.content_id, down)
        return download

    async def prioritise(self, said: str, level: LevelName, only: str | None = None) -> AnyDownload:
        """Let one begin sooner or later, or, with `only`, fetch its files that fit sooner, later or not at all."""
        download = self._ours(said)
        if only is not None or level == "skip":
            download.set_priority(only or "*", Priority[level.upper()])
            await self._transfers.keep(download.content_id)
        else:
            await self._transfers.set_level(download.content_id, _LEVELS[level])
        return download

    async def choose(self, said: str, files: list[FileLevel]) -> AnyDownload:
        """Fetch files of one, by their numbers, sooner, later or not at all."""
        download = self._ours(said)
        changes = {file.number: Priority[file.level.upper()] for file in files}
        await self._transfers.set_levels(download.content_id, changes)
        return download

    async def forget(self, said: str) -> AnyDownload:
        """Take one that has ended off the list; its files stay."""
        download = self._fetching.find(said)
        if not isinstance(download, OldDownload):
            await self._transfers.forget(download.content_id)
        elif download.state in ENDED:
            await self._classic.downloads.stop_one(download, DownloadState.CANCELLED)
        else:
            raise LocalError(f"{download.target.name} has not ended; cancel it first")
        return download

    async def forget_finished(self) -> int:
        """Take all that are complete off the list; returns how many."""
        old = [each for each in self._classic.downloads.all() if each.state is DownloadState.DONE]
        for download in old:
            await self._classic.downloads.stop_one(download, DownloadState.CANCELLED)
        return len(old) + await self._transfers.forget_finished()

    def sources(self, said: str) -> list[TransferSource]:
        """Return who has the content of a download, or may have it: those that send first."""
        download = self._fetching.find(said)
        if isinstance(download, OldDownload):
            return []
        rates = download.scheduler.rates(asyncio.get_running_loop().time()) if download.scheduler is not None else {}
        contacts = download.swarm.contacts()
        views = [self._source(download, each, rates.get(each.source.peer_id, 0.0)) for each in contacts]
        return sorted(views, key=lambda view: (-view.rate_down, -view.received, view.peer_id))

    # --- inside -------------------------------------------------------------------------------------------------

    def _ours(self, said: str) -> Download:
        download = self._fetching.find(said)
        if isinstance(download, OldDownload):
            raise LocalError(f"{download.target.name} comes from an old peer, which sends a file as it likes")
        return download

    def _source(self, download: Download, contact: Contact, rate: float) -> TransferSource:
        peer_id, link = contact.source.peer_id, contact.link
        known, connection = self._peer.table.get(peer_id), link.connection if link is not None else None
        address = connection.remote if connection is not None else next(iter(contact.source.addresses), None)
        return TransferSource(
            peer_id=format_id(peer_id),
            name=known.alias if known is not None else "",
            address=str(address or ""),
            rate_down=rate,
            received=contact.received,
            here=_here(download, contact),
            state=_state_of(contact, rate),
            agent=connection.hello.agent if connection is not None else "",
        )


def _here(download: Download, contact: Contact) -> int:
    """Return how much of the content a source has, in percent."""
    scheduler, link, space = download.scheduler, contact.link, download.space
    if scheduler is None or space is None or link is None or not link.attached:
        return 0
    has = scheduler.has(link.peer_id)
    return 100 if has is None else 100 * has.count() // max(space.count, 1)


def _state_of(contact: Contact, rate: float) -> StateName:
    """Say in one word how it goes with a source."""
    link = contact.link
    if link is None:
        return "resting"
    if link.connection is None:
        return "connecting"
    if not link.attached:
        return "asking" if link.is_open else "resting"
    if link.waits:
        return "queued"
    return "sending" if rate else "ready"
