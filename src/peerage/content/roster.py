"""The downloads of a node, listed: which run, which wait, which have ended, and who is before whom.

Invariant: what it says of a download is what that said of itself last (`noted`), so that nothing has to go through ten
thousand of them to know what two are doing. It starts and stops nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from peerage.content.download import Download
from peerage.content.line import Line
from peerage.content.status import ENDED, DownloadState
from peerage.content.transfer_book import BookEntry
from peerage.errors import LocalError

_GONE: Final = frozenset({DownloadState.DONE, DownloadState.CANCELLED})  # nothing of them will run any more


class Roster:
    """Downloads and their entries in the book, by content id."""

    def __init__(self) -> None:
        self.downloads: dict[bytes, Download] = {}
        self.entries: dict[bytes, BookEntry] = {}
        self.line = Line()
        self.running: dict[bytes, Download] = {}
        self._waiting: set[bytes] = set()
        self._unfinished: dict[bytes, Path] = {}  # and where they go
        self._targets: set[Path] = set()  # the same

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting)

    @property
    def unfinished(self) -> int:
        """How many have not ended."""
        return len(self._unfinished)

    def get(self, content: bytes) -> Download:
        """Return one; raises LocalError when there is none."""
        download = self.downloads.get(content)
        if download is None:
            raise LocalError("no such download; see: peerage transfers")
        return download

    def put(self, download: Download, entry: BookEntry) -> None:
        """List a download, in the place of another of the same content."""
        content = bytes(download.content_id)
        self.downloads[content], self.entries[content] = download, entry
        if entry.done:
            pass  # it stands in no line
        elif entry.place is not None:
            place = self.line.put(content, entry.place, entry.level)
            download.terms = msgspec.structs.replace(download.terms, place=place)
        else:
            self.join(content, entry.level)
        self.noted(content)

    def remove(self, content: bytes) -> None:
        """Take one off the list."""
        del self.downloads[content], self.entries[content]
        self.noted(content)

    def join(self, content: bytes, level: int) -> list[bytes]:
        """Let one line up by its level; returns those whose place in the line is another now."""
        changed = self.line.join(content, level)
        self.place(changed)
        return changed

    def place(self, changed: list[bytes]) -> None:
        """Tell downloads where they stand now."""
        for content in changed:
            download = self.downloads[content]
            download.set_terms(msgspec.structs.replace(download.terms, place=self.line.place_of(content)))

    def noted(self, content: bytes) -> None:
        """Look at one that may stand otherwise than before, or is gone."""
        download = self.downloads.get(content)
        state = download.state if download is not None else DownloadState.CANCELLED
        if download is not None and download.is_active:
            self.running[content] = download
        else:
            self.running.pop(content, None)
        waits = state is DownloadState.QUEUED and content not in self.running
        (self._waiting.add if waits else self._waiting.discard)(content)
        if (target := self._unfinished.pop(content, None)) is not None:
            self._targets.discard(target)
        if download is not None and state not in ENDED:
            self._unfinished[content] = download.wanted.target
            self._targets.add(download.wanted.target)
        if state in _GONE:
            self.line.remove(content)

    def takes(self, target: Path) -> bool:
        """Say whether an unfinished download goes there."""
        return target in self._targets

    def in_line(self) -> Iterator[bytes]:
        """Yield those that run or wait, in their order."""
        return (content for content in self.line if content in self._waiting or content in self.running)
