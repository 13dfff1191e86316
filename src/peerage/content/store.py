"""The pieces of one download on disk: written in place, marked when they are safe, put in place at the end.

Invariant: what `open` finds after a crash is trusted only where the journal marks it, and a piece is marked only after
its bytes were flushed; other bytes are checked again. So nothing is believed that may be lost, and nothing that was
verified and is still there is fetched twice. Until
`finish`, all lives in one hidden folder beside the target, which nobody else may enter; no file that is not ours is
ever written, replaced or removed. It does not decide which pieces come, nor when to commit.

All methods block, and may be called from several threads at once (`finish`, `discard` and `close` from one).
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path

from blake3 import blake3

from peerage.content.bitmap import Bitmap
from peerage.content.disk import (
    flush,
    flush_file_system,
    flush_folder,
    folder_below,
    folders_of,
    open_below,
    read_into,
    storing,
    write_all,
)
from peerage.content.handles import Handles
from peerage.content.journal import Journal
from peerage.content.manifest import Manifest, PieceSpace, piece_size_of
from peerage.content.placing import Placing, part_name_of
from peerage.content.recheck import pieces_with_data
from peerage.errors import DiskFullError, LocalError, StoreError
from peerage.limits import DIRTY_FILES, MIB


class PartialStore:
    """An unfinished download: a file or a folder that is to stand at `target`. Made by `open`.

    `chosen` are the numbers of the files that are wanted, of those of the manifest.
    """

    def __init__(self, target: Path, manifest: Manifest, content_id: bytes, chosen: Collection[int] | None) -> None:
        self.target = target
        self.space = PieceSpace(manifest)
        self.chosen = frozenset(range(self.space.file_count) if chosen is None else chosen)
        self._placing = Placing(target, self.space, content_id, self.chosen)
        self._journal: Journal | None = None
        self._handles: Handles[int] = Handles(self._open_file)
        self._lock = threading.Lock()
        self._commit_lock = threading.Lock()
        self._writing = threading.Lock()
        self._content_id = content_id
        self._held = Bitmap(self.space.count)  # can be read
        self._marked = Bitmap(self.space.count)  # is safe
        self._pending: list[int] = []  # written, not yet flushed
        self._dirty: set[int] = set()  # files with bytes that are not yet flushed
        self._new: set[int] = set()  # files with names that are not yet flushed
        self._finished = False

    @classmethod
    def open(
        cls, target: Path, manifest: Manifest, content_id: bytes, chosen: Collection[int] | None = None
    ) -> PartialStore:
        """Begin a download, or go on with one that was left unfinished at the same target.

        `chosen` is None for all files. Those that stand at the target already, with the right content, count as
        downloaded. Raises TargetExistsError when something else stands there, DiskFullError when it cannot fit, and
        StoreError when the folder cannot be used or the same download is running.
        """
        store = cls(target, manifest, content_id, chosen)
        with ExitStack() as undo:
            undo.callback(store._abandon)
            with storing(target):
                store._begin()
            undo.pop_all()
        return store

    @classmethod
    def remove(cls, target: Path, manifest: Manifest, content_id: bytes) -> None:
        """Give up an unfinished download that is not open, whatever stands at its target; other files stay."""
        store = cls(target, manifest, content_id, None)
        with storing(target), ExitStack() as undo:
            undo.callback(store.close)
            if os.path.lexists(target.parent / part_name_of(target.name, content_id)):
                store._placing.enter()
                store._placing.remove_parts()

    def have(self) -> Bitmap:
        """Return the pieces that are here, as a copy."""
        with self._lock:
            return self._held.copy()

    def write_piece(self, index: int, data: memoryview | bytes | bytearray) -> bool:
        """Check a piece and write it; False, and nothing is written, when it is not the right one.

        Raises DiskFullError and other StoreErrors; the piece then counts as not written.
        """
        location = self.space.locate(index)
        view = memoryview(data)
        if len(view) != location.length or blake3(view).digest() != self.space.hash_of(index):
            return False
        # one file takes one writer at a time; the others would only spin in the kernel
        with storing(self.target), self._handles.borrow(location.file) as handle, self._writing:
            write_all(handle, view, location.offset)
        with self._lock:
            self._held.add(index)
            self._pending.append(index)
            self._dirty.add(location.file)
        return True

    def read_piece(self, index: int, buffer: memoryview) -> None:
        """Read a piece that is here into a buffer of its length; raises LocalError for one that is not."""
        with self._lock:
            if index not in self._held:
                raise LocalError(f"piece {index} is not here yet")
        location = self.space.locate(index)
        with storing(self.target), self._handles.borrow(location.file) as handle:
            count = read_into(handle, buffer, location.offset)
        if count != location.length:
            raise StoreError(f"{self.target}: a file of it was cut short; start the download again")

    def commit(self) -> int:
        """Flush what was written, and mark it; returns how many pieces that made safe.

        To be called every few seconds. When it raises, the pieces stay unmarked for good: `close`, and `open` again.
        """
        with self._commit_lock:
            with self._lock:
                batch, dirty, new = self._pending, self._dirty, self._new
                self._pending, self._dirty, self._new = [], set(), set()
            if not dirty and not new:
                return 0
            with storing(self.target):
                self._flush(dirty, new)
                if batch:
                    self._opened_journal().mark(batch)
            with self._lock:
                for index in batch:
                    self._marked.add(index)
            return len(batch)

    def finish(self) -> Path:
        """Put the chosen files in place: the whole folder in one step when the target is new. Returns the target.

        Raises LocalError while pieces are missing, and TargetExistsError when something else has come to stand there;
        nothing is lost then, and `finish` can be tried again.
        """
        if self._finished:
            return self.target
        with storing(self.target):
            for file in self.chosen:
                if not self.space.file_size(file):
                    with self._handles.borrow(file):
                        pass  # makes the empty file
        self.commit()
        missing = sum(index not in self._marked for file in self.chosen for index in self.space.pieces_of(file))
        if missing:
            raise LocalError(f"{missing} pieces are not here, or not safe on the disk, yet")
        with storing(self.target):
            self._placing.place()
            self._finished = True
            self._placing.remove_parts()
        return self.target

    def place_of(self, file: int) -> Path:
        """Return where a file stands once it is finished."""
        return self.target.parent / self._placing.place_of(file)

    def discard(self) -> None:
        """Give the download up: removes its own unfinished files, and nothing else."""
        self._handles.close()
        with storing(self.target):
            self._placing.remove_parts()
        self.close()

    def close(self) -> None:
        """Close all files; what was committed is there at the next `open`."""
        self._handles.close()
        if self._journal is not None:
            self._journal.close()
        self._placing.close()

    # --- inside -------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        folder = self._placing.enter()
        self._placing.find_in_place()
        self._journal = Journal(folder, self._content_id, self.space.count)
        self._marked = self._journal.open(self._trusted)
        for file in self._placing.in_place:
            for index in self.space.pieces_of(file):
                self._marked.add(index)
        self._held = self._marked.copy()
        for file in self.chosen - self._placing.in_place:
            self._recheck(file)
        self._check_space(folder)

    def _recheck(self, file: int) -> None:
        """Take up pieces that were written but not yet marked when the process ended, if they are the right ones."""
        try:
            handle = open_below(self._placing.folder, self._placing.part_of(file), os.O_RDWR)
        except FileNotFoundError:
            return
        try:
            size = self.space.file_size(file)
            first = self.space.pieces_of(file).start
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return
            for number in pieces_with_data(handle, size, piece_size_of(size), lambda n: first + n in self._held):
                self._adopt(file, handle, first + number)
        finally:
            os.close(handle)

    def _adopt(self, file: int, handle: int, index: int) -> None:
        location = self.space.locate(index)
        buffer = memoryview(bytearray(location.length))
        count = read_into(handle, buffer, location.offset)
        if count == location.length and blake3(buffer).digest() == self.space.hash_of(index):
            write_all(handle, buffer, location.offset)  # after a failed flush the kernel may take them for flushed
            self._held.add(index)
            self._pending.append(index)
            self._dirty.add(file)
            self._new.add(file)

    def _abandon(self) -> None:
        """Leave nothing behind of a download that could not begin."""
        if self._placing.is_fresh:
            self._placing.remove_parts()
        self.close()

    def _trusted(self, marked: Bitmap) -> Bitmap:
        """Leave out the pieces of files that are no longer what they were."""
        whole = {file: self._is_whole(file) for file in {self.space.locate(index).file for index in marked}}
        return Bitmap(self.space.count, (index for index in marked if whole[self.space.locate(index).file]))

    def _is_whole(self, file: int) -> bool:
        try:
            handle = open_below(self._placing.folder, self._placing.part_of(file), os.O_RDONLY)
        except FileNotFoundError:
            return False
        found = os.fstat(handle)
        os.close(handle)
        return stat.S_ISREG(found.st_mode) and found.st_size == self.space.file_size(file)

    def _check_space(self, folder: int) -> None:
        needed = sum(self.space.file_size(file) for file in self.chosen)
        for index in self._held:
            location = self.space.locate(index)
            needed -= location.length if location.file in self.chosen else 0
        disk = os.fstatvfs(folder)
        free = disk.f_bavail * disk.f_frsize
        if disk.f_blocks and needed > free:
            raise DiskFullError(
                f"{self.target}: it needs {-(-needed // MIB)} MiB more, and {free // MIB} MiB are free; "
                "free some, or choose another disk"
            )

    def _open_file(self, file: int) -> int:
        if file in self._placing.in_place:
            return self._placing.open_in_place(file)
        handle = open_below(self._placing.folder, self._placing.part_of(file), os.O_RDWR, create=True)
        with ExitStack() as undo:
            undo.callback(os.close, handle)
            self._make_whole(file, handle)
            undo.pop_all()
        return handle

    def _make_whole(self, file: int, handle: int) -> None:
        """Give a new file its size; it takes no space on the disk before it is written."""
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EEXIST, "something that is no file is in the way")
        if found.st_size != self.space.file_size(file) or not found.st_size:
            os.ftruncate(handle, self.space.file_size(file))
            with self._lock:
                self._new.add(file)

    def _flush(self, dirty: set[int], new: set[int]) -> None:
        """Return when these files and their names are on the disk itself."""
        if len(dirty | new) > DIRTY_FILES and flush_file_system(self._placing.folder):
            return
        for file in dirty | new:
            with self._handles.borrow(file) as handle:
                if not os.fstat(handle).st_nlink:
                    raise FileNotFoundError(errno.ENOENT, "the unfinished file has vanished")
                flush(handle)
        for parents in folders_of(self._placing.part_of(file) for file in new) if new else ():
            with folder_below(self._placing.folder, parents) as folder:
                flush_folder(folder)

    def _opened_journal(self) -> Journal:
        if self._journal is None:
            raise LocalError("the download was not opened")
        return self._journal
