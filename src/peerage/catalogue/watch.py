"""Changes on disk, as the kernel reports them.

Invariant: changes come bundled, once they have come to rest for a second or after a minute at the latest, so that a
file being copied is not hashed all the while. Where the kernel cannot watch that much, everything is reported as
changed from time to time instead. What changed is only said by path; whoever is told looks at the disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec
from watchfiles import Change, awatch

from peerage.catalogue.ignore import IGNORE_FILE, is_hidden_or_temporary

_log = logging.getLogger(__name__)

_REST_MS: Final = 1000
_MOST_MS: Final = 60_000
_BEGUN_MS: Final = 1000  # how long a watcher waits for the first change before it says that it is watching
_LOOK_SECONDS: Final = 300.0  # between two looks at everything where watching is impossible

Report = Callable[[set[Path]], Awaitable[None]]


class Watched(msgspec.Struct, frozen=True):
    """What to watch: shared files and folders, and those among them whose changes nobody has looked for lately."""

    roots: tuple[Path, ...]
    fresh: frozenset[Path]


class Watcher(Protocol):
    """Tells about changes on disk."""

    async def __call__(self, watched: Watched, stop: asyncio.Event, report: Report) -> None:
        """Report changed paths until `stop` is set; the fresh roots once by themselves, when watching has begun."""


async def watch_disk(watched: Watched, stop: asyncio.Event, report: Report) -> None:
    """Watch with the kernel's help.

    The parent of each root is watched as well, though nothing else in it: that shows when a root itself vanishes, comes
    back or is replaced, as editors do with files.
    """
    wanted = frozenset(watched.roots)
    folders = [root for root in watched.roots if root.is_dir()]
    parents = sorted({root.parent for root in watched.roots if root.parent.is_dir()})
    async with asyncio.TaskGroup() as group:
        if folders:
            follower = _Follower(folders, _is_shareable, recursive=True)
            group.create_task(follower.run(watched.fresh & set(folders), stop, report))
        if parents:
            follower = _Follower(parents, wanted.__contains__, recursive=False)
            group.create_task(follower.run(watched.fresh - set(folders), stop, report))
        await stop.wait()


class _Follower:
    """One watcher of the kernel's."""

    def __init__(self, paths: Sequence[Path], counts: Callable[[Path], bool], *, recursive: bool) -> None:
        self._paths = paths
        self._counts = counts
        self._recursive = recursive

    async def run(self, fresh: frozenset[Path], stop: asyncio.Event, report: Report) -> None:
        """Report until `stop` is set."""
        try:
            await self._follow(fresh, stop, report)
        except (OSError, RuntimeError) as error:  # the kernel's limit on watches, or a file system that has none
            _log.warning("changes of shared files are noticed late, as the system cannot watch them: %s", error)
            await _look_now_and_then(set(self._paths), stop, report)

    async def _follow(self, fresh: frozenset[Path], stop: asyncio.Event, report: Report) -> None:
        unseen = set(fresh)
        async for changes in awatch(
            *self._paths,
            watch_filter=self._filter,
            debounce=_MOST_MS,
            step=_REST_MS,
            stop_event=stop,
            rust_timeout=_BEGUN_MS,
            yield_on_timeout=True,
            recursive=self._recursive,
            force_polling=False,
        ):
            changed = {Path(path) for _, path in changes} | unseen
            unseen.clear()
            if changed:
                await report(changed)

    def _filter(self, _change: Change, path: str) -> bool:
        return self._counts(Path(path))


def _is_shareable(path: Path) -> bool:
    return path.name == IGNORE_FILE or not is_hidden_or_temporary(path.name)


async def _look_now_and_then(paths: set[Path], stop: asyncio.Event, report: Report) -> None:
    while not stop.is_set():
        await report(paths)
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue
