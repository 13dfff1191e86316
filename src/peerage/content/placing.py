"""Where the files of a download are: in its part folder first, at their target in the end.

Invariant: nothing that is not ours is replaced: a name at the target is taken only while it is free, in one step; what
stands there already is left as it is, and is ours to use only when it has exactly the right content. No symbolic link
is followed below the folder of the target. It writes no pieces.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from blake3 import blake3

from peerage.content.disk import flush_folder, folder_below, folders_of, lock, open_below, open_folder, read_all
from peerage.content.journal import JOURNAL, JOURNAL_NEW
from peerage.content.manifest import FolderManifest, PieceSpace
from peerage.content.names import local_paths
from peerage.errors import StoreError, TargetExistsError
from peerage.identity.keys import format_id
from peerage.limits import MAX_NAME_BYTES

_DATA: Final = "data"
PART_ENDING: Final = ".peerage-part"
"""How the name of a folder with an unfinished download ends; such a folder is not shared."""
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EOPNOTSUPP})


def part_name_of(name: str, content_id: bytes) -> str:
    """Return the name of the part folder for a target of this name: hidden, and for this content only."""
    ending = f".{format_id(content_id)[:12]}{PART_ENDING}"
    room = MAX_NAME_BYTES - len(ending) - 1
    return f".{name.encode()[:room].decode(errors='ignore')}{ending}"


class Placing:
    """The names of one download's files, unfinished and finished. `in_place` are the files that are finished."""

    def __init__(self, target: Path, space: PieceSpace, content_id: bytes, chosen: Collection[int]) -> None:
        self._target = target
        self._space = space
        self._chosen = chosen
        self._part_name = part_name_of(target.name, content_id)
        self._is_folder = isinstance(space.manifest, FolderManifest)
        self._paths: list[str] | None = None  # of the files of a folder, relative to it
        self._home = -1  # the folder of the target
        self.folder = -1  # the part folder
        self.is_fresh = False
        self.in_place: set[int] = set()

    def enter(self) -> int:
        """Open the part folder, made if need be, for us alone; raises StoreError when it is not ours to use."""
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._home = os.open(self._target.parent, os.O_RDONLY)
        try:
            os.mkdir(self._part_name, 0o700, dir_fd=self._home)
            self.is_fresh = True
        except FileExistsError:
            pass
        self.folder = open_folder(self._target.parent / self._part_name)
        owner, ours = os.fstat(self.folder).st_uid, {os.geteuid(), os.fstat(self._home).st_uid}
        if owner not in ours:
            raise StoreError(f"{self._target.parent / self._part_name} belongs to another user: remove it")
        if not lock(self.folder):
            raise StoreError(f"{self._target}: this download is running already, here or in another process")
        manifest = self._space.manifest
        if isinstance(manifest, FolderManifest):
            self._paths = self._local_paths([file.path for file in manifest.files])
        return self.folder

    def part_of(self, file: int) -> str:
        """Return the path of an unfinished file in the part folder."""
        return _DATA if self._paths is None else f"{_DATA}/{self._paths[file]}"

    def place_of(self, file: int) -> str:
        """Return the path of a finished file, relative to the folder of the target."""
        return self._target.name if self._paths is None else f"{self._target.name}/{self._paths[file]}"

    def open_in_place(self, file: int) -> int:
        """Open a finished file, to be read."""
        return open_below(self._home, self.place_of(file), os.O_RDONLY)

    def find_in_place(self) -> None:
        """Look for chosen files that are at the target already; raises TargetExistsError when others are."""
        if exists_in(self._home, self._target.name):
            self.in_place.update(file for file in self._chosen if self._is_in_place(file))

    def place(self) -> None:
        """Move the chosen files, all of them complete, to the target."""
        if self._paths is not None and not exists_in(self._home, self._target.name) and self._place_folder():
            self.in_place.update(self._chosen)
            return
        for file in self._chosen:
            if file not in self.in_place:
                self._place_file(file)
                self.in_place.add(file)

    def remove_parts(self) -> None:
        """Remove the part folder with the unfinished files in it; what else somebody put there stays."""
        if self.folder < 0:
            return
        if exists_in(self.folder, _DATA) and (self._paths is not None or not self._is_folder):
            parts = [self.part_of(file) for file in range(self._space.file_count)]
            self._remove_files(parts)
            for parents in folders_of(parts):
                if parents:
                    with suppress(OSError), folder_below(self.folder, parents[:-1]) as folder:
                        os.rmdir(parents[-1], dir_fd=folder)
        for name in (JOURNAL, JOURNAL_NEW):
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self.folder)
        with suppress(OSError):
            os.rmdir(self._part_name, dir_fd=self._home)

    def close(self) -> None:
        """Let go of both folders."""
        for handle in (self.folder, self._home):
            if handle >= 0:
                os.close(handle)
        self.folder = self._home = -1

    # --- inside -------------------------------------------------------------------------------------------------

    def _local_paths(self, paths: list[str]) -> list[str]:
        """Choose the names of a folder's files, by what this disk can tell apart."""
        local, folded = (local_paths(paths, fold_case=fold_case) for fold_case in (False, True))
        return folded if local != folded and self._folds_case() else local

    def _folds_case(self) -> bool:
        """Try whether "probe" and "PROBE" are one file here."""
        os.close(open_below(self.folder, "probe", os.O_RDWR, create=True))
        try:
            return exists_in(self.folder, "PROBE")
        finally:
            os.unlink("probe", dir_fd=self.folder)

    def _is_in_place(self, file: int) -> bool:
        """Say whether a file is at its place with the right content; raises TargetExistsError for anything else."""
        try:
            handle = self.open_in_place(file)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._in_the_way(file) from error
        try:
            if not self._is_same(file, handle):
                raise self._in_the_way(file)
        finally:
            os.close(handle)
        return True

    def _is_same(self, file: int, handle: int) -> bool:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size != self._space.file_size(file):
            return False
        for index in self._space.pieces_of(file):
            location = self._space.locate(index)
            data = read_all(handle, location.length, location.offset)
            if blake3(data).digest() != self._space.hash_of(index):
                return False
        return True

    def _in_the_way(self, file: int) -> TargetExistsError:
        path = self._target.parent / self.place_of(file)
        return TargetExistsError(f"{path}: something else is there already; move it away, or choose another folder")

    def _place_folder(self) -> bool:
        """Move all files at once; False when a target has appeared meanwhile, so that they must go one by one."""
        chosen = self._chosen
        self._remove_files([self.part_of(file) for file in range(self._space.file_count) if file not in chosen])
        with suppress(FileExistsError):
            os.mkdir(_DATA, dir_fd=self.folder)  # of a folder without files
        try:
            os.rename(_DATA, self._target.name, src_dir_fd=self.folder, dst_dir_fd=self._home)
        except OSError as error:
            if error.errno not in {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}:
                raise
            return False
        flush_folder(self._home)
        return True

    def _place_file(self, file: int) -> None:
        *parts, part = self.part_of(file).split("/")
        *places, place = self.place_of(file).split("/")
        try:
            with (
                folder_below(self.folder, parts) as source,
                folder_below(self._home, places, create=True) as target,
            ):
                move_to_free_name(source, part, target, place)
                flush_folder(target)
        except (FileExistsError, NotADirectoryError) as error:
            if not self._is_in_place(file):
                raise self._in_the_way(file) from error

    def _remove_files(self, parts: list[str]) -> None:
        for path in parts:
            *parents, name = path.split("/")
            with suppress(FileNotFoundError), folder_below(self.folder, parents) as folder:
                os.unlink(name, dir_fd=folder)


def exists_in(folder: int, name: str) -> bool:
    """Whether an open folder has something of this name; a link counts, wherever it leads."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def move_to_free_name(source: int, name: str, target: int, new_name: str) -> None:
    """Move a file; raises FileExistsError, in one step with the move where the disk knows links, when one is there."""
    try:
        os.link(name, new_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if exists_in(target, new_name):
            raise FileExistsError(errno.EEXIST, "it exists") from error
        os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
    else:
        os.unlink(name, dir_fd=source)
