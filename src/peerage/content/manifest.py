"""Manifests: what a content id stands for, and the one row of pieces that a file or a folder is cut into.

Invariant: equal bytes have equal manifests, and these one encoding, whose hash is the content id; a file's own name is
no part of it. What `decode` lets through is whole: sizes, piece counts and paths fit each other and the limits. This
module reads no file and chooses no local names.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Annotated, Final, NamedTuple, NewType

import msgspec
from blake3 import blake3

from peerage.content.names import check_path, holds_folder
from peerage.errors import ForgedError, LimitError, ProtocolError, UnsafeNameError
from peerage.limits import KIB, MAX_FOLDER_FILES, MAX_MANIFEST, MIB

ContentId = NewType("ContentId", bytes)
ContentIdField = Annotated[ContentId, msgspec.Meta(min_length=32, max_length=32)]
"""A content id inside a message: its length is checked while it is decoded."""

HASH_BYTES: Final = 32
_ID_CONTEXT: Final = "peerage 2026 content id of a manifest"
_PIECE_SIZES: Final = ((64 * MIB, 256 * KIB), (4096 * MIB, MIB), (16384 * MIB, 4 * MIB))
_LARGEST_PIECE: Final = 16 * MIB


class FileManifest(msgspec.Struct, frozen=True, array_like=True, tag="file", gc=False):
    """One file: its size in bytes and the plain BLAKE3-256 hashes of its pieces, end to end."""

    size: Annotated[int, msgspec.Meta(ge=0)]
    pieces: bytes


class FolderFile(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One file of a folder, at a path relative to it, with "/" between the components."""

    path: str
    file: FileManifest


class FolderManifest(msgspec.Struct, frozen=True, array_like=True, tag="folder", gc=False):
    """A folder: its files, sorted by path. Empty folders inside it are not kept."""

    files: Annotated[tuple[FolderFile, ...], msgspec.Meta(max_length=MAX_FOLDER_FILES)]


Manifest = FileManifest | FolderManifest

_decoder: Final[msgspec.msgpack.Decoder[Manifest]] = msgspec.msgpack.Decoder(Manifest)
_encoder: Final = msgspec.msgpack.Encoder()


def piece_size_of(size: int) -> int:
    """Return how long the pieces of a file of this size are; the last one may be shorter."""
    for largest, piece in _PIECE_SIZES:
        if size <= largest:
            return piece
    return _LARGEST_PIECE


def piece_count_of(size: int) -> int:
    """Return how many pieces a file of this size has; an empty one has none."""
    return -(-size // piece_size_of(size))


def folder_of(files: Sequence[FolderFile]) -> FolderManifest:
    """Put files together in a folder; raises UnsafeNameError when two have one path or a path is no relative one."""
    manifest = FolderManifest(tuple(sorted(files, key=lambda file: file.path)))
    _check_folder(manifest)
    return manifest


def encode(manifest: Manifest) -> bytes:
    """Return the one encoding of a manifest; raises LimitError when nobody would accept it for its size."""
    if isinstance(manifest, FolderManifest) and len(manifest.files) > MAX_FOLDER_FILES:
        raise LimitError("MAX_FOLDER_FILES", "ours", f"a folder can have {MAX_FOLDER_FILES} files; share it in parts")
    data = _encoder.encode(manifest)
    if len(data) > MAX_MANIFEST:
        raise LimitError("MAX_MANIFEST", "ours", f"the list of pieces is over {MAX_MANIFEST // MIB} MiB; share parts")
    return data


def content_id_of(encoded: bytes) -> ContentId:
    """Return the content id that an encoded manifest has."""
    return ContentId(blake3(encoded, derive_key_context=_ID_CONTEXT).digest())


def decode(data: bytes, content_id: bytes) -> Manifest:
    """Read a manifest from elsewhere.

    Raises LimitError when it is too large, ForgedError when it is not what the id stands for, ProtocolError when it
    is not well made, UnsafeNameError when a path in it is none.
    """
    if len(data) > MAX_MANIFEST:
        raise LimitError("MAX_MANIFEST", "theirs", f"a manifest of {len(data)} bytes; allowed are {MAX_MANIFEST}")
    if content_id_of(data) != content_id:
        raise ForgedError("the manifest is not the one that the content id stands for")
    try:
        manifest = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"a manifest that cannot be read: {error}") from error
    if isinstance(manifest, FileManifest):
        _check_file(manifest)
    else:
        _check_folder(manifest)
    if _encoder.encode(manifest) != data:
        raise ProtocolError("a manifest that is not in its one encoding")
    return manifest


def _check_file(manifest: FileManifest) -> None:
    if len(manifest.pieces) != piece_count_of(manifest.size) * HASH_BYTES:
        raise ProtocolError(f"{len(manifest.pieces)} bytes of piece hashes for a file of {manifest.size} bytes")


def _check_folder(manifest: FolderManifest) -> None:
    paths = [entry.path for entry in manifest.files]
    for entry in manifest.files:
        check_path(entry.path)
        _check_file(entry.file)
    for one, other in pairwise(paths):
        if one >= other:
            raise UnsafeNameError(f"{other!r} is twice in the folder, or out of order")
    for path in paths:
        if holds_folder(paths, path):
            raise UnsafeNameError(f"{path!r} is both a file and a folder")


class PieceLocation(NamedTuple):
    """Where a piece is: number of the file, and offset and length in bytes within it."""

    file: int
    offset: int
    length: int


class PieceSpace:
    """All pieces of a manifest in one row, file after file; no piece spans two files.

    A single file is file 0. `count` is the number of pieces, `size` the bytes of all files together.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self._files = (manifest,) if isinstance(manifest, FileManifest) else tuple(f.file for f in manifest.files)
        sizes = [file.size for file in self._files]
        self._first = array("Q", accumulate(map(piece_count_of, sizes), initial=0))
        self._start = array("Q", accumulate(sizes, initial=0))
        self.count = self._first[-1]
        self.size = self._start[-1]
        self.largest_piece = max((min(size, piece_size_of(size)) for size in sizes), default=0)

    @property
    def file_count(self) -> int:
        """Return how many files there are, empty ones too."""
        return len(self._files)

    def file_size(self, file: int) -> int:
        """Return the size of a file in bytes."""
        return self._files[file].size

    def pieces_of(self, file: int) -> range:
        """Return the indexes of a file's pieces."""
        return range(self._first[file], self._first[file + 1])

    def locate(self, index: int) -> PieceLocation:
        """Return where a piece is; raises IndexError when there is no such piece."""
        file = self._file_of(index)
        size = self._files[file].size
        piece_size = piece_size_of(size)
        offset = (index - self._first[file]) * piece_size
        return PieceLocation(file, offset, min(piece_size, size - offset))

    def length_of(self, index: int) -> int:
        """Return the length of a piece in bytes."""
        file = self._file_of(index)
        size = self._files[file].size
        piece_size = piece_size_of(size)
        return min(piece_size, size - (index - self._first[file]) * piece_size)

    def hash_of(self, index: int) -> bytes:
        """Return the BLAKE3-256 hash that a piece must have."""
        file = self._file_of(index)
        at = (index - self._first[file]) * HASH_BYTES
        return self._files[file].pieces[at : at + HASH_BYTES]

    def bytes_between(self, first: int, stop: int) -> int:
        """Return how many bytes the pieces from `first` up to, not including, `stop` have together."""
        return self._bytes_before(stop) - self._bytes_before(first)

    def _bytes_before(self, index: int) -> int:
        if index >= self.count:
            return self.size
        location = self.locate(index)
        return self._start[location.file] + location.offset

    def _file_of(self, index: int) -> int:
        if not 0 <= index < self.count:
            raise IndexError(f"piece {index} of {self.count}")
        return bisect_right(self._first, index) - 1 if len(self._files) > 1 else 0


class PieceHasher:
    """Hashes the bytes of one file, fed in order in any portions, into the hashes of its pieces."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._piece_size = piece_size_of(size)
        self._fed = 0
        self._hashes = bytearray()
        self._piece = blake3()

    def feed(self, data: memoryview) -> None:
        """Take the next bytes; raises ValueError when they are more than the file has."""
        if self._fed + len(data) > self._size:
            raise ValueError("more bytes than the file has")
        at = 0
        while at < len(data):
            room = self._piece_size - self._fed % self._piece_size
            portion = data[at : at + room]
            self._piece.update(portion)
            at += len(portion)
            self._fed += len(portion)
            if self._fed % self._piece_size == 0 or self._fed == self._size:
                self._hashes += self._piece.digest()
                self._piece.reset()

    def finish(self) -> FileManifest:
        """Return the manifest; raises ValueError when bytes are missing."""
        if self._fed != self._size:
            raise ValueError(f"{self._fed} bytes of a file of {self._size}")
        return FileManifest(self._size, bytes(self._hashes))
