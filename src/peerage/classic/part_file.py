"""A file that comes from an old peer: written beside its place, hashed on the way, moved there when it is whole.

Invariant: nothing that stands at the target is replaced, no symbolic link is followed, and what is incomplete or is not
what it should be is removed. The hash is that of the bytes as they were written. Blocks; runs in a thread.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from peerage.content.disk import flush, flush_folder, open_below, storing, write_all
from peerage.content.manifest import PieceHasher, content_id_of, encode
from peerage.content.placing import exists_in, move_to_free_name, part_name_of
from peerage.errors import ForgedError, StoreError, TargetExistsError


class PartFile:
    """One of them, safe to close while a thread is still at work on it."""

    def __init__(self, target: Path, mark: bytes, size: int) -> None:
        self._target = target
        self._name = part_name_of(target.name, mark)  # the mark tells it from other unfinished files
        self._hasher = PieceHasher(size)
        self._lock = threading.Lock()
        self._closed = False
        self._written = 0
        self._folder = -1
        self._handle = -1

    def open(self) -> None:
        """Begin it; raises TargetExistsError when something has its place already, or StoreError."""
        with self._lock, storing(self._target):
            self._check()
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._folder = os.open(self._target.parent, os.O_RDONLY)
            if exists_in(self._folder, self._target.name):
                raise _in_the_way(self._target)
            with suppress(FileNotFoundError):
                os.unlink(self._name, dir_fd=self._folder)  # of a run that was killed
            self._handle = open_below(self._folder, self._name, os.O_RDWR | os.O_EXCL, create=True)

    def take(self, data: bytes) -> None:
        """Write and hash the next bytes."""
        with self._lock, storing(self._target):
            self._check()
            write_all(self._handle, memoryview(data), self._written)
            self._hasher.feed(memoryview(data))
            self._written += len(data)

    def finish(self, expected: bytes | None) -> bytes:
        """Put the file in its place and return its content id; raises ForgedError when another one was expected."""
        content = content_id_of(encode(self._hasher.finish()))
        if expected is not None and content != expected:
            raise ForgedError(f"{self._target.name}: the old peer sent something else than that; it was deleted")
        with self._lock, storing(self._target):
            self._check()
            flush(self._handle)
            self._place()
            flush_folder(self._folder)
        return content

    def close(self) -> None:
        """Remove what is unfinished and let go; nothing is done to the file after that."""
        with self._lock:
            self._closed = True
            if self._handle >= 0:
                os.close(self._handle)
                with suppress(OSError):
                    os.unlink(self._name, dir_fd=self._folder)
            if self._folder >= 0:
                os.close(self._folder)
            self._handle = self._folder = -1

    def _check(self) -> None:
        if self._closed:
            raise StoreError(f"{self._target}: the download was given up")

    def _place(self) -> None:
        """Give the file its name in one step, where the disk knows links."""
        try:
            move_to_free_name(self._folder, self._name, self._folder, self._target.name)
        except FileExistsError as error:
            raise _in_the_way(self._target) from error


def _in_the_way(target: Path) -> TargetExistsError:
    return TargetExistsError(f"{target}: something is there already; move it away, or choose another folder")
