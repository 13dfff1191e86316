"""The list of pieces that are safe on the disk, beside the pieces themselves.

Invariant: a piece is in the journal only after its bytes were flushed, and what the journal says is believed only as
far as its check sums hold: a batch torn by a crash, and all after it, never counts. It belongs to one content id.
It does not look at the pieces: whoever opens it says which of them are to be trusted.

Layout: a header of 72 bytes (magic, content id, number of pieces, check sum), then batches: a count, that many piece
indexes, a check sum over them, their place in the file and the content id. Numbers are big-endian.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from blake3 import blake3

from peerage.content.bitmap import Bitmap
from peerage.content.disk import flush, flush_folder, open_below, read_all, write_all
from peerage.errors import StoreError

JOURNAL: Final = "journal"
JOURNAL_NEW: Final = "journal.new"
_MAGIC: Final = b"peerage pieces 1\n".ljust(24, b"\0")
_SUM_BYTES: Final = 8
_COUNT: Final = struct.Struct("!L")
_BATCH: Final = 65_536  # indexes of one batch at the most


class Journal:
    """The journal of one download, in its open part folder."""

    def __init__(self, folder: int, content_id: bytes, pieces: int) -> None:
        self._folder = folder
        self._header = _MAGIC + content_id + pieces.to_bytes(8, "big")
        self._header += _sum(b"", self._header)
        self._pieces = pieces
        self._handle = -1
        self._end = 0

    def open(self, trusted: Callable[[Bitmap], Bitmap]) -> Bitmap:
        """Read what is there, let `trusted` thin it out, and begin a fresh journal with the rest.

        Raises StoreError when the journal is that of something else.
        """
        marked = trusted(self.read())
        self.close()
        with suppress(FileNotFoundError):
            os.unlink(JOURNAL_NEW, dir_fd=self._folder)
        self._handle = open_below(self._folder, JOURNAL_NEW, os.O_RDWR | os.O_EXCL, create=True)
        write_all(self._handle, memoryview(self._header), 0)
        self._end = len(self._header)
        self._append(list(marked))
        flush(self._handle)
        os.rename(JOURNAL_NEW, JOURNAL, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        flush_folder(self._folder)
        return marked

    def mark(self, indices: Iterable[int]) -> None:
        """Note pieces whose bytes have been flushed; when this returns, the note is on the disk too."""
        if os.fstat(self._handle).st_nlink == 0:
            raise FileNotFoundError(2, "the journal has vanished")
        self._append(list(indices))
        flush(self._handle)

    def close(self) -> None:
        """Close the file."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _append(self, indices: list[int]) -> None:
        data = bytearray()
        for at in range(0, len(indices), _BATCH):
            batch = indices[at : at + _BATCH]
            body = _COUNT.pack(len(batch)) + struct.pack(f"!{len(batch)}L", *batch)
            data += body + _sum(self._header, body, self._end + len(data))
        write_all(self._handle, memoryview(data), self._end)  # after a failure the next try overwrites the rest
        self._end += len(data)

    def read(self) -> Bitmap:
        """Return the pieces that are marked; raises StoreError when the journal is that of something else."""
        marked = Bitmap(self._pieces)
        try:
            handle = open_below(self._folder, JOURNAL, os.O_RDONLY)
        except FileNotFoundError:
            return marked
        try:
            data = read_all(handle, os.fstat(handle).st_size, 0)
        finally:
            os.close(handle)
        if data[: len(self._header)] != self._header:
            raise StoreError("the unfinished download that is there belongs to other content, or is damaged: remove it")
        at = len(self._header)
        while (batch := self._batch_at(data, at)) is not None:
            for index in batch:
                marked.add(index)
            at += _COUNT.size * (1 + len(batch)) + _SUM_BYTES
        return marked

    def _batch_at(self, data: bytes, at: int) -> tuple[int, ...] | None:
        """Return the indexes of the batch at an offset, or None when there is no whole one."""
        if at + _COUNT.size > len(data):
            return None
        (count,) = _COUNT.unpack_from(data, at)
        stop = at + _COUNT.size * (1 + count)
        if not 0 < count <= _BATCH or data[stop : stop + _SUM_BYTES] != _sum(self._header, data[at:stop], at):
            return None
        indices = struct.unpack_from(f"!{count}L", data, at + _COUNT.size)
        return indices if max(indices) < self._pieces else None


def _sum(header: bytes, data: bytes, place: int = 0) -> bytes:
    return blake3(header + place.to_bytes(8, "big") + data).digest(_SUM_BYTES)
