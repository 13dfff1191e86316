"""What an end without warning left on disk: bytes that were written, but not yet marked as safe.

Invariant: a piece is yielded only when its file has bytes all over its first block; whether they are the right ones is
for the caller to check. Holes, which cost no disk, are passed over as fast as the file system can name them.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator

SEEK_DATA = getattr(os, "SEEK_DATA", None)


def pieces_with_data(handle: int, size: int, piece_size: int, known: Callable[[int], bool]) -> Iterator[int]:
    """Yield the pieces of one open file, numbered from 0, that have bytes and are not known."""
    if not size:
        return
    number = 0
    while (number := _next_with_data(handle, number * piece_size) // piece_size) * piece_size < size:
        if not known(number):
            yield number
        number += 1


def _next_with_data(handle: int, offset: int) -> int:
    """Return where the next bytes that are no hole are; far beyond any file when there are none."""
    if SEEK_DATA is None:
        return offset
    try:
        return max(offset, os.lseek(handle, offset, SEEK_DATA))
    except OSError as error:
        if error.errno == errno.ENXIO:
            return 2**62
        if error.errno == errno.EINVAL:  # a file system that knows no holes
            return offset
        raise
