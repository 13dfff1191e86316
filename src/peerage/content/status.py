"""What a download is asked to do, and how it stands, as a person sees it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from peerage.catalogue.record import Visibility


class DownloadState(StrEnum):
    """Where a download stands."""

    QUEUED = "queued"  # waits for others to end
    FINDING = "finding"  # looks for somebody who knows the manifest
    CHECKING = "checking"  # reads what is on the disk already
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED: Final = frozenset({DownloadState.DONE, DownloadState.FAILED, DownloadState.CANCELLED})


class Amount(NamedTuple):
    """Bytes that are wanted (None: not known yet), and how many of them are there."""

    wanted: int | None
    done: int


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to download and where to put it."""

    content: bytes
    target: Path  # the file or folder as it is to stand in the end
    only: str = ""  # of a folder: files whose relative path fits this pattern (fnmatch), or that are in such a folder
    size: int | None = None  # as a link or a hit said; the manifest decides
    visibility: Visibility = Visibility.LINK  # who may have it from here


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner set for a download: its place in the queue, how urgent it is, its own speed limit (0: none)."""

    place: int = 0  # the lower, the sooner it is begun; the gaps mean nothing
    level: int = 0  # the higher, the more urgent
    limit: int = 0  # bytes a second
    added: float = 0.0  # seconds since 1970


class Shape(NamedTuple):
    """What a content consists of; no files as long as that is not known."""

    files: int = 0
    folder: bool = False


class DownloadStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A download as a person sees it; sizes in bytes, rates in bytes a second, `eta` in seconds.

    `size` is that of the whole content, `wanted` and `done` are of the files that were chosen. `error` and `note` are
    sentences: why it failed, and what it waits for.
    """

    content: bytes
    name: str
    path: Path
    state: DownloadState
    size: int | None
    wanted: int | None
    done: int
    rate: float
    sources: int
    eta: float | None
    error: str
    note: str
    terms: Terms = Terms()
    shape: Shape = Shape()
    finished: float | None = None  # seconds since 1970
