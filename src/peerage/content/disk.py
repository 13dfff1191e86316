"""The few system calls that content needs of a disk, with errors that say what to do.

Invariant: nothing here follows a symbolic link below the folder that it was given; an OSError of a disk leaves this
package only as a StoreError. It knows nothing of pieces.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from peerage.errors import DiskFullError, StoreError

if sys.platform != "win32":
    import fcntl

_FOLDER: Final = (
    os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
)
_FILE: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_REASONS: Final = {
    errno.EACCES: "permission denied: let this user write there, or choose another folder",
    errno.EPERM: "permission denied: let this user write there, or choose another folder",
    errno.EROFS: "the disk is mounted read-only: choose another folder",
    errno.ENOENT: "it has vanished: start the download again",
    errno.ESTALE: "it has vanished: start the download again",
    errno.ELOOP: "a symbolic link is in the way, and is not followed: remove it, or choose another folder",
    errno.ENOTDIR: "something that is no folder is in the way: remove it, or choose another folder",
    errno.EFBIG: "this disk cannot hold a file of that size: choose another disk",
    errno.ENAMETOOLONG: "the path is too long for this disk: choose a folder with a shorter path",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n)",
}


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn any OSError inside into a StoreError that names this path; DiskFullError when no space is left."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFullError(f"{path}: no space is left on the disk; free some, then resume") from error
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise StoreError(f"{path}: {reason}") from error


def open_folder(path: Path) -> int:
    """Open a folder that is none by way of a symbolic link, as a handle for the calls below."""
    return os.open(path, _FOLDER)


def open_below(folder: int, path: str, flags: int, *, create: bool = False) -> int:
    """Open a file at a relative path below an open folder, making folders on the way when `create`."""
    *parents, name = path.split("/")
    with folder_below(folder, parents, create=create) as parent:
        return os.open(name, flags | _FILE | (os.O_CREAT if create else 0), 0o666, dir_fd=parent)


@contextmanager
def folder_below(folder: int, parents: list[str], *, create: bool = False) -> Iterator[int]:
    """Open the folder to which these names lead, one by one and without following links; closed at the end."""
    handle = os.dup(folder)
    try:
        for name in parents:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o777, dir_fd=handle)
            below = os.open(name, _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = below
        yield handle
    finally:
        os.close(handle)


def folders_of(paths: Iterable[str]) -> list[list[str]]:
    """Return every folder on the way to these relative paths, deepest first, the one they are relative to last."""
    folders: set[tuple[str, ...]] = {()}
    for path in paths:
        parents = tuple(path.split("/")[:-1])
        while parents not in folders:
            folders.add(parents)
            parents = parents[:-1]
    return [list(parents) for parents in sorted(folders, key=len, reverse=True)]


def write_all(handle: int, data: memoryview, offset: int) -> None:
    """Write all bytes at an offset; what a full disk left half written is not counted as written."""
    while data:
        written = os.pwrite(handle, data, offset)
        data, offset = data[written:], offset + written


def read_into(handle: int, buffer: memoryview, offset: int) -> int:
    """Fill a buffer from an offset on, as far as the file goes; returns how many bytes that were."""
    filled = 0
    while filled < len(buffer):
        count = os.preadv(handle, [buffer[filled:]], offset + filled)
        if not count:
            break
        filled += count
    return filled


def read_all(handle: int, length: int, offset: int) -> bytes:
    """Read that many bytes at an offset, or fewer where the file ends."""
    data = os.pread(handle, length, offset)
    while 0 < len(data) < length:
        more = os.pread(handle, length - len(data), offset + len(data))
        if not more:
            break
        data += more
    return data


def flush(handle: int) -> None:
    """Return when the bytes of a file are on the disk itself."""
    if sys.platform == "darwin":
        fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(handle)


def flush_folder(handle: int) -> None:
    """Return when the names in a folder are on the disk itself, where the file system can promise that."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some network file systems
            raise


def flush_file_system(handle: int) -> bool:
    """Flush everything on the file system of an open file at once; False where that cannot be done."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(handle) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return True


def lock(handle: int) -> bool:
    """Take an open folder for this handle alone, until it is closed; False when somebody else has it."""
    if sys.platform != "win32":
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in {errno.ENOLCK, errno.ENOTSUP, errno.EINVAL}:  # some network file systems
                raise
    return True
