"""Files to contents: what the library asks of whoever hashes, and the threads in which it is done.

Invariant: a result belongs to one state of a file: what the disk says about it (`FileStat`) is the same before and
after the bytes were read, or there is no result. What a file cannot give is a `Skipped` with the reason, never an
exception. How contents are cut into pieces and named is not known here; content/ brings a `ContentHasher`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from peerage.catalogue.media import read_meta
from peerage.catalogue.record import Meta
from peerage.errors import PeerageError

_BATCH_FILES: Final = 64  # small files go to a thread together: handing over costs more than hashing them
_BATCH_BYTES: Final = 16 * 1024 * 1024
_ATTEMPTS: Final = 2  # a file that is being written gets a second chance, not a third


class HashedContent(msgspec.Struct, frozen=True, gc=False):
    """The name of some bytes: content id (32 bytes), how many they are, and the encoded manifest."""

    content: bytes
    size: int
    manifest: bytes


class FolderEntry(msgspec.Struct, frozen=True, gc=False):
    """One file of a folder: its path relative to the folder, with `/` between the parts, and its content."""

    relative: str
    content: HashedContent


class ContentHasher(Protocol):
    """Turns files and folders into contents; called in several threads at once."""

    def hash_file(self, path: Path, progress: Callable[[int], None]) -> HashedContent:
        """Read one file; `progress` is told of every portion of bytes and may raise to stop. OSError goes through."""

    def combine_folder(self, entries: Sequence[FolderEntry]) -> HashedContent:
        """Put files together to the content of their folder; the entries are sorted by `relative`."""


class FileStat(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the disk says about a file; when it says the same again, the bytes are taken to be the same."""

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int  # cannot be set by hand: catches a file that was changed and given its old date again

    @classmethod
    def of(cls, found: os.stat_result) -> FileStat:
        """Take what counts from a stat result."""
        return cls(found.st_size, found.st_mtime_ns, _signed(found.st_ino), found.st_ctime_ns)


class Found(msgspec.Struct, frozen=True, gc=False):
    """A file in a share: relative path (`/` between the parts), absolute path, and what the disk says."""

    relative: str
    path: str
    stat: FileStat


class Skipped(msgspec.Struct, frozen=True):
    """Something that is left out of a share, and why."""

    path: str
    reason: str


class Hashed(msgspec.Struct, frozen=True):
    """A file with its content, and for audio and video what it says about itself."""

    found: Found
    content: HashedContent
    meta: Meta | None


class HashingStoppedError(Exception):
    """Raised through a hasher from its progress callback when nobody waits for the result."""


def hash_batch(
    batch: Sequence[Found], hasher: ContentHasher, progress: Callable[[int], None]
) -> tuple[list[Hashed], list[Skipped]]:
    """Hash some files, in this thread."""
    hashed: list[Hashed] = []
    skipped: list[Skipped] = []
    for found in batch:
        outcome = _hash_one(found, hasher, progress)
        if isinstance(outcome, Hashed):
            hashed.append(outcome)
        else:
            skipped.append(outcome)
    return hashed, skipped


def batches(files: Sequence[Found]) -> Iterator[list[Found]]:
    """Cut a list of files into portions of work: many small ones or one large one."""
    batch: list[Found] = []
    size = 0
    for found in files:
        if batch and (len(batch) >= _BATCH_FILES or size + found.stat.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(found)
        size += found.stat.size
    if batch:
        yield batch


def _hash_one(found: Found, hasher: ContentHasher, progress: Callable[[int], None]) -> Hashed | Skipped:
    path = Path(found.path)
    try:
        for _ in range(_ATTEMPTS):
            before = path.stat()
            if not stat.S_ISREG(before.st_mode):
                return Skipped(found.path, "it is no longer a file")
            content = hasher.hash_file(path, progress)
            meta = read_meta(path)
            now = FileStat.of(path.stat())
            if FileStat.of(before) == now and content.size == now.size:
                return Hashed(msgspec.structs.replace(found, stat=now), content, meta)
    except OSError as error:
        return Skipped(found.path, error.strerror or str(error))
    except PeerageError as error:
        return Skipped(found.path, str(error))
    return Skipped(found.path, "it changes while it is read; it is tried again when it has come to rest")


def _signed(inode: int) -> int:
    """Some file systems use all 64 bits; SQLite's numbers have a sign."""
    return inode - 2**64 if inode >= 2**63 else inode
