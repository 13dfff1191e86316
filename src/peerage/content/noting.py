"""Writes down how downloads stand, so that a restart goes on there.

Invariant: what is written is what the download said of itself at that moment; a disk that refuses is named in the log
and harms nothing else. When to write is the business of `transfers`.
"""

from __future__ import annotations

import logging

import msgspec

from peerage.content.download import Download
from peerage.content.roster import Roster
from peerage.content.source import Source
from peerage.content.status import Amount, DownloadState, Shape, Terms, Wanted
from peerage.content.surroundings import Surroundings
from peerage.content.transfer_book import BookEntry, TransferBook
from peerage.errors import StoreError
from peerage.peer.peer import Peer

log = logging.getLogger("peerage.content")


class Noting:
    """Keeps the book in step with the roster."""

    def __init__(self, peer: Peer, roster: Roster, book: TransferBook) -> None:
        self._peer = peer
        self._roster = roster
        self._book = book

    async def note(self, content: bytes) -> bool:
        """Write down how a download stands; says whether that was the news that it is complete."""
        download, entry = self._roster.downloads.get(content), self._roster.entries.get(content)
        if download is None or entry is None:
            return False
        noted = entry_of(download, entry)
        if noted == entry:
            return False
        self._roster.entries[content] = noted
        try:
            await self._peer.in_thread(self._book.save, noted)
        except StoreError as error:
            log.warning("how %s stands could not be noted: %s", download.wanted.target.name, error)
        if content not in self._roster.entries:  # it was cancelled meanwhile
            await self._peer.in_thread(self._book.remove, content)
        return noted.done and not entry.done


def entry_of(download: Download, entry: BookEntry) -> BookEntry:
    """Return what is to be kept of a download."""
    resting = not download.is_active
    amount = download.measure() if resting else Amount(entry.wanted, entry.got)
    return msgspec.structs.replace(
        entry,
        size=download.space.size if download.space is not None else entry.size,
        rules=download.rules,
        wanted=amount.wanted,
        got=amount.done,
        paused=download.state is DownloadState.PAUSED,
        error=str(download.error) if download.state is DownloadState.FAILED else "",
        finished=download.finished,
        place=entry.place if download.state is DownloadState.DONE else download.terms.place,
        level=download.terms.level,
        limit=download.terms.limit,
        file_count=download.shape.files,
        folder=download.shape.folder,
        sources=download.swarm.sources,
        done=download.state is DownloadState.DONE,
        files=download.placed or entry.files,
    )


def fresh_entry(wanted: Wanted, now: float, level: int, sources: tuple[Source, ...]) -> BookEntry:
    """Return the entry of a download that is just begun."""
    return BookEntry(
        content=wanted.content,
        target=str(wanted.target),
        only=wanted.only,
        size=wanted.size,
        visibility=wanted.visibility,
        added=now,
        level=level,
        sources=sources,
    )


def taken_up(entry: BookEntry, wanted: Wanted, surroundings: Surroundings) -> Download:
    """Return a download as an entry of an earlier run says that it stood."""
    terms = Terms(place=entry.place or 0, level=entry.level, limit=entry.limit, added=entry.added)
    download = Download(wanted, surroundings, entry.rules, terms)
    download.amount = Amount(entry.wanted if entry.wanted is not None else entry.size, entry.got)
    download.shape, download.finished = Shape(entry.file_count, entry.folder), entry.finished
    for source in entry.sources:
        download.add_source(source)
    if entry.done:
        download.restore(DownloadState.DONE)
    elif entry.error:
        download.restore(DownloadState.FAILED, StoreError(entry.error))
    elif entry.paused:
        download.restore(DownloadState.PAUSED)
    return download
