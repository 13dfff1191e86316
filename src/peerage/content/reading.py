"""Bytes of any file of any content that this node has, or is just downloading: from any place, in order, as they come.

Invariant: what is given was checked against the manifest when it was written or shared; a reader holds one piece in
memory, and there are at most MAX_READERS. Reading a download that runs moves its order of fetching (`readers`); it
begins none, and goes on with none that rests. Who may read, and how bytes travel on, is not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import msgspec

from peerage.content.bitmap import Bitmap
from peerage.content.download import Download, DownloadState
from peerage.content.holding import FindHolding, Holding
from peerage.content.manifest import PieceSpace, piece_size_of
from peerage.content.readers import Position
from peerage.content.transfers import Transfers
from peerage.errors import LimitError, LocalError, StoreError
from peerage.limits import MAX_READERS, READ_AHEAD
from peerage.peer.peer import Peer

_RESTING: Final = frozenset({DownloadState.PAUSED, DownloadState.FAILED, DownloadState.CANCELLED})
_LOOK_AGAIN: Final = 1.0  # seconds, while files are being put in place, or a disk does not answer
_ATTEMPTS: Final = 5  # at reading what should be there
_MANIFEST_SECONDS: Final = 20.0  # to wait until it is known what a content consists of


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one file of a content: file number, offset and length."""

    content: bytes
    file: int
    offset: int
    length: int


class Reading:
    """Reads what `find_shared` finds, and the downloads of a node."""

    def __init__(self, peer: Peer, transfers: Transfers, find_shared: FindHolding) -> None:
        self._peer = peer
        self._transfers = transfers
        self._find_shared = find_shared
        self._open = 0

    @property
    def readers(self) -> int:
        """How many read now."""
        return self._open

    async def space(self, content: bytes) -> PieceSpace | None:
        """Return the files and pieces of a content; None when it is neither here nor being downloaded.

        Waits a while for a download that has just begun; raises LocalError when that rests, or knows too little yet.
        """
        holding = await self._find(content)
        if holding is not None:
            return holding.space
        download = self._transfers.listed(content)
        if download is None:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(_MANIFEST_SECONDS):
                return await _space_of(download)
        raise LocalError(f"it is not known yet what {download.wanted.target.name} consists of; nobody was found so far")

    async def pieces(self, content: bytes) -> Bitmap | None:
        """Return which pieces are here now, None for all of them."""
        holding = await self._find(content)
        if holding is not None:
            return holding.pieces()
        space = await self._space(content)
        return Bitmap(space.count)

    async def check(self, stretch: Stretch) -> None:
        """Raise LocalError when nobody would ever bring this stretch: its file is left out, or the download rests."""
        await self._piece_or_none(stretch, _pieces_of(stretch, await self._space(stretch.content)).start)

    async def read(self, stretch: Stretch) -> AsyncGenerator[bytes, None]:
        """Give the bytes of a stretch, piece by piece; waits for those that are on their way.

        Raises LimitError when too many read, LocalError when the download comes to rest meanwhile, StoreError when the
        disk refuses or a shared file has changed.
        """
        space = await self._space(stretch.content)
        with self._counted(), self._position(stretch.content) as position:
            at, end = stretch.offset, stretch.offset + stretch.length
            for index in _pieces_of(stretch, space):
                ahead = msgspec.structs.replace(stretch, offset=at, length=min(end - at, READ_AHEAD))
                position.move(range(index, max(_pieces_of(ahead, space).stop, min(index + 2, _stop(stretch, space)))))
                piece, location = await self._piece(stretch, index), space.locate(index)
                part = memoryview(piece)[at - location.offset : end - location.offset]
                yield bytes(part)
                at += len(part)

    # --- inside -------------------------------------------------------------------------------------------------

    async def _find(self, content: bytes) -> Holding | None:
        return await self._transfers.find(content) or await self._find_shared(content)

    async def _space(self, content: bytes) -> PieceSpace:
        space = await self.space(content)
        if space is None:
            raise LocalError("this content is neither shared nor downloaded here")
        return space

    async def _piece(self, stretch: Stretch, index: int) -> bytearray:
        failures = 0
        while True:
            download = self._transfers.listed(stretch.content)
            news = download.readers.news() if download is not None else None
            try:
                if (piece := await self._piece_or_none(stretch, index)) is not None:
                    return piece
            except StoreError:
                failures += 1
                if news is None or failures >= _ATTEMPTS:
                    raise
            assert news is not None, "what is not downloaded is here, or an error"
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN if failures else None):
                    await news.wait()

    async def _piece_or_none(self, stretch: Stretch, index: int) -> bytearray | None:
        """Read a piece; None when it is on its way."""
        holding = await self._find(stretch.content)
        pieces = holding.pieces() if holding is not None else None
        if holding is not None and (pieces is None or index in pieces):
            buffer = bytearray(holding.space.length_of(index))
            await self._peer.in_thread(holding.read_piece, index, memoryview(buffer))
            return buffer
        download = self._transfers.listed(stretch.content)
        if download is None:
            raise LocalError("this content is no longer shared or downloaded here")
        _check_coming(download, stretch.file)
        return None

    @contextmanager
    def _counted(self) -> Iterator[None]:
        if self._open >= MAX_READERS:
            raise LimitError("MAX_READERS", "ours", f"{MAX_READERS} files are being read already; close one")
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    @contextmanager
    def _position(self, content: bytes) -> Iterator[Position]:
        download = self._transfers.listed(content)
        if download is None:
            yield Position(lambda: None)
            return
        with download.readers.position() as position:
            yield position


async def _space_of(download: Download) -> PieceSpace:
    while (space := download.space) is None:
        _check_coming(download, None)
        with download.readers.position():  # to be told
            await download.readers.news().wait()
    return space


def _check_coming(download: Download, file: int | None) -> None:
    """Raise LocalError unless the missing pieces of a file are on their way."""
    name, state = download.wanted.target.name, download.state
    if state in _RESTING:
        raise LocalError(f"{name} is {state.value}, so what is missing of it does not come; resume it first")
    if file is not None and download.space is not None and file not in download.kept_files():
        raise LocalError(f"this file of {name} is left out of the download; give it a priority first")


def _pieces_of(stretch: Stretch, space: PieceSpace) -> range:
    """Return the pieces that a stretch touches; raises LocalError when there is no such stretch."""
    size = space.file_size(stretch.file)
    if not 0 <= stretch.offset <= stretch.offset + stretch.length <= size:
        raise LocalError(f"bytes {stretch.offset} to {stretch.offset + stretch.length} of a file of {size}")
    first, length = space.pieces_of(stretch.file).start, piece_size_of(size)
    start = first + stretch.offset // length
    stop = first - -(stretch.offset + stretch.length) // length if stretch.length else start
    return range(start, stop)


def _stop(stretch: Stretch, space: PieceSpace) -> int:
    return _pieces_of(stretch, space).stop
