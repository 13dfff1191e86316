"""What downloads give to others: what runs as far as it has come, and what is finished as long as it is listed.

Invariant: a finished download is served only while its files are what was put in place, under the visibility that it
had. Nobody's list of ten thousand is gone through to answer one question.
"""

from __future__ import annotations

from collections.abc import Iterator

from peerage.content.finished import FinishedHolding
from peerage.content.holding import Holding, HoldingCache
from peerage.content.reader import SharedFiles
from peerage.content.roster import Roster
from peerage.content.status import DownloadState
from peerage.content.transfer_book import TransferBook
from peerage.peer.peer import Peer


class Serving:
    """The contents that can be had from here because they are, or were, downloaded; iterate for their ids."""

    def __init__(self, roster: Roster, book: TransferBook) -> None:
        self._roster = roster
        self._book = book
        self._reader = SharedFiles()
        self._finished = HoldingCache()

    async def find(self, peer: Peer, content: bytes) -> Holding | None:
        """Return what can be served of a content."""
        download, entry = self._roster.downloads.get(content), self._roster.entries.get(content)
        if download is None or entry is None:
            return None
        running, files = download.holding(), download.placed or entry.files
        if running is not None or not files or download.state is not DownloadState.DONE:
            return running
        known = self._finished.get(content, files)
        if known is not None:
            return known
        manifest = await peer.in_thread(self._book.manifest, content)
        if not manifest:
            return None
        place = (content, manifest, files, self._reader, entry.visibility)
        made = await peer.in_thread(FinishedHolding, *place)
        self._finished.put(content, files, made)
        return made

    def __contains__(self, content: object) -> bool:
        if not isinstance(content, bytes):
            return False
        download, entry = self._roster.downloads.get(content), self._roster.entries.get(content)
        return (download is not None and download.holding() is not None) or (entry is not None and entry.done)

    def __iter__(self) -> Iterator[bytes]:
        return (content for content in list(self._roster.downloads) if content in self)

    def close(self) -> None:
        """Let go of files."""
        self._reader.close()
