"""Files that were dropped on the page: taken in over HTTP, put into a folder of their own, and shared.

Invariant: a name that was sent becomes one safe, visible name in that folder and never replaces one that is there; a
file is seen under its name when all its bytes are on the disk, and what broke off, or could not be shared, is removed,
after a crash by the next one that comes. No link is followed in that folder, and the disk keeps a reserve.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final

from peerage.app.api import models
from peerage.app.sharing import Sharing
from peerage.content.disk import flush, flush_folder, lock, open_folder, storing
from peerage.content.names import numbered_name, safe_name
from peerage.content.placing import move_to_free_name
from peerage.errors import DiskFullError, LimitError, LocalError
from peerage.limits import DISK_RESERVE, DROP_PATIENCE, DROPS_AT_ONCE, MIB
from peerage.peer.peer import Peer

FOLDER: Final = "Shared from the page"
"""The folder for them, in the folder for downloads."""
_PART: Final = ".peerage-drop-"  # how the names of unfinished ones begin; hidden, so never shared
_PORTION: Final = MIB  # bytes that are written at once, in a thread
_TRIES: Final = 10_000  # at names with a number


class Drops:
    """Takes files in; `downloads` returns the folder for downloads."""

    def __init__(self, peer: Peer, sharing: Sharing, downloads: Callable[[], Path]) -> None:
        self._peer = peer
        self._sharing = sharing
        self._downloads = downloads
        self._under_way: set[_Landing] = set()

    async def take(
        self, name: str, length: int, visibility: models.VisibilityName, chunks: AsyncIterator[bytes]
    ) -> models.Share:
        """Take in a file of so many bytes and share it; whatever ends this early removes it again.

        Raises DiskFullError when it does not fit, LimitError when too many come at once, LocalError when it broke off,
        and what sharing does.
        """
        shown = safe_name(name.lstrip(". "))
        with self._landing(length) as landing:
            try:
                await self._peer.in_thread(landing.open, sum(each.missing for each in self._under_way))
                await self._fill(landing, chunks)
                path = await self._peer.in_thread(landing.place, shown)
                share = await self._sharing.share(path, visibility)
                landing.keep = True
            finally:
                # The thread has it to the end, also when this task is cancelled meanwhile.
                await asyncio.shield(self._peer.in_thread(landing.close))
        return share

    async def _fill(self, landing: _Landing, chunks: AsyncIterator[bytes]) -> None:
        """Write what comes, in portions."""
        portion = bytearray()
        try:
            while True:
                async with asyncio.timeout(DROP_PATIENCE):
                    chunk = await anext(chunks, None)
                if chunk is not None:
                    portion += chunk
                if len(portion) >= _PORTION or (chunk is None and portion):
                    await self._peer.in_thread(landing.write, portion)
                    portion = bytearray()
                if chunk is None:
                    break
        except TimeoutError as error:
            raise LocalError(f"nothing came for {DROP_PATIENCE:.0f} seconds, so the file was given up") from error
        if landing.missing:
            raise LocalError(f"the file ended {landing.missing} bytes early")

    @contextmanager
    def _landing(self, length: int) -> Iterator[_Landing]:
        if len(self._under_way) >= DROPS_AT_ONCE:
            raise LimitError("DROPS_AT_ONCE", "ours", f"{DROPS_AT_ONCE} files are being taken in already; wait for one")
        landing = _Landing(self._downloads(), length)
        self._under_way.add(landing)
        try:
            yield landing
        finally:
            self._under_way.remove(landing)


class _Landing:
    """One file on its way in: hidden, then under its name; all methods block, and may be called in any thread."""

    def __init__(self, downloads: Path, length: int) -> None:
        self._downloads = downloads
        self._place = downloads / FOLDER
        self._lock = threading.Lock()  # a cancelled task leaves a method running while `close` is called
        self._folder = self._file = -1
        self._name = ""
        self._closed = False
        self.missing = length
        self.keep = False

    def open(self, promised: int) -> None:
        """Make the file, if the disk has room for all `promised` bytes, those of other files included."""
        with self._lock, storing(self._place):
            self._check_open()
            self._downloads.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                self._place.mkdir()
            self._folder = open_folder(self._place)
            _sweep(self._folder)
            self._check_room(promised)
            self._name = f"{_PART}{secrets.token_hex(8)}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(self._name, flags, 0o666, dir_fd=self._folder)
            lock(self._file)

    def write(self, data: bytearray) -> None:
        """Add to the file; raises LocalError beyond the length that was promised."""
        with self._lock, storing(self._place):
            self._check_open()
            if len(data) > self.missing:
                raise LocalError("the file is longer than was said")
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            self.missing -= len(data)

    def place(self, name: str) -> Path:
        """Give the file its name, with a number where that is taken; returns its path."""
        with self._lock, storing(self._place):
            self._check_open()
            flush(self._file)
            for number in count(1):
                free = numbered_name(name, number) if number > 1 else name
                try:
                    move_to_free_name(self._folder, self._name, self._folder, free)
                except FileExistsError:
                    if number > _TRIES:
                        raise
                else:
                    self._name = free
                    break
            flush_folder(self._folder)
            return self._place / self._name

    def close(self) -> None:
        """Let go of the file, and remove it unless it is to stay."""
        with self._lock, storing(self._place):
            self._closed = True
            if self._name and not self.keep:
                with suppress(FileNotFoundError):
                    os.unlink(self._name, dir_fd=self._folder)
            for handle in (self._file, self._folder):
                if handle >= 0:
                    os.close(handle)
            self._folder = self._file = -1

    def _check_open(self) -> None:
        if self._closed:
            raise LocalError("the file was given up")

    def _check_room(self, promised: int) -> None:
        disk = os.fstatvfs(self._folder)
        free = max(0, disk.f_bavail * disk.f_frsize - DISK_RESERVE)
        if disk.f_blocks and promised > free:
            raise DiskFullError(
                f"{self._place}: the file needs {-(-self.missing // MIB)} MiB, and only {free // MIB} MiB may be used: "
                "free some space, or choose another folder for downloads"
            )


def _sweep(folder: int) -> None:
    """Remove what a crash left: unfinished files that no process holds."""
    with os.scandir(folder) as listing:
        names = [entry.name for entry in listing if entry.name.startswith(_PART)]
    for name in names:
        with suppress(OSError):
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            try:
                if lock(handle):
                    os.unlink(name, dir_fd=folder)
            finally:
                os.close(handle)
