"""The watcher's own rules; that the kernel reports changes is shown by the tests with real processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from catalogue_samples import make_files
from watchfiles import Change

from peerage.catalogue import watch
from peerage.catalogue.watch import Watched, watch_disk


class Kernel:
    """Stands where watchfiles does: reports what a test says, or refuses."""

    def __init__(self, reports: list[set[tuple[Change, str]]], error: Exception | None = None) -> None:
        self.reports = reports
        self.error = error
        self.asked: list[tuple[tuple[Path, ...], bool]] = []

    async def __call__(self, *paths: Path, recursive: bool, watch_filter: Any, stop_event: asyncio.Event, **_: Any) -> AsyncIterator[set[tuple[Change, str]]]:  # fmt: skip
        self.asked.append((paths, recursive))
        if self.error:
            raise self.error
        for changes in self.reports:
            yield {(change, path) for change, path in changes if watch_filter(change, path)}
        await stop_event.wait()


async def reported(monkeypatch: pytest.MonkeyPatch, kernel: Kernel, watched: Watched, count: int) -> list[set[Path]]:
    monkeypatch.setattr(watch, "awatch", kernel)
    seen: list[set[Path]] = []
    stop = asyncio.Event()

    async def report(paths: set[Path]) -> None:
        seen.append(paths)
        if len(seen) == count:
            stop.set()

    await watch_disk(watched, stop, report)
    return seen


async def test_folders_with_all_below_and_parents_for_the_roots_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_files(tmp_path / "folder", "a.txt")
    file = make_files(tmp_path, "file.txt") / "file.txt"
    kernel = Kernel(
        [
            {
                (Change.added, str(folder / "sub" / "new.txt")),
                (Change.added, str(folder / ".hidden")),
                (Change.modified, str(folder / ".peerageignore")),
                (Change.modified, str(file)),
                (Change.modified, str(tmp_path / "other.txt")),
            },
            set(),
        ]
    )
    seen = await reported(monkeypatch, kernel, Watched((folder, file), frozenset()), 2)
    assert sorted(kernel.asked) == sorted([((folder,), True), ((tmp_path,), False)])
    changed = set().union(*seen)
    assert {folder / "sub" / "new.txt", folder / ".peerageignore", file} <= changed
    assert folder / ".hidden" not in changed


async def test_fresh_roots_are_reported_once_watching_has_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_files(tmp_path / "folder", "a.txt")
    seen = await reported(monkeypatch, Kernel([set()]), Watched((folder,), frozenset({folder})), 1)
    assert seen[0] == {folder}


@pytest.mark.parametrize("error", [OSError(28, "OS file watch limit reached"), RuntimeError("no inotify")])
async def test_without_the_kernel_everything_is_looked_at_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(watch, "_LOOK_SECONDS", 0)
    folder = make_files(tmp_path / "folder", "a.txt")
    seen = await reported(monkeypatch, Kernel([], error), Watched((folder,), frozenset()), 4)
    assert {folder} in seen
    assert len(seen) >= 4
