"""Downloads on disks that are full, slow or meddled with, and at their limits."""

from __future__ import annotations

import asyncio
import errno
import os

import pytest
from content_world import LINE, PIECE, finished, on_stage, some_bytes, until

from peerage.content import disk
from peerage.content.download import DownloadState
from peerage.content.exchange import ContentExchange
from peerage.content.transfers import Transfers
from peerage.errors import DiskFullError, LimitError, StoreError, TargetExistsError
from peerage.limits import COMMIT_SECONDS, MIB

# --- the disk -------------------------------------------------------------------------------------------------------


@on_stage
async def test_a_target_that_exists_is_not_touched(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(some_bytes(MIB))
    (leech.folder / "got").write_bytes(b"precious")
    download = await leech.get(what, seed)
    with pytest.raises(TargetExistsError, match="something else is there already"):
        await finished(download)
    assert (leech.folder / "got").read_bytes() == b"precious"
    (leech.folder / "got").unlink()
    await leech.transfers.resume(what.id)
    assert what.equals(await finished(download))


@on_stage
async def test_a_target_that_appears_meanwhile_is_not_touched_and_nothing_is_fetched_twice(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(some_bytes(4 * MIB))
    download = await leech.get(what, seed)
    await until(lambda: download.status().done >= 2 * MIB)
    (leech.folder / "got").write_bytes(b"precious")
    with pytest.raises(TargetExistsError):
        await finished(download)
    assert (leech.folder / "got").read_bytes() == b"precious"
    await leech.transfers.cancel(what.id)  # even now its parts can be removed
    assert sorted(each.name for each in leech.folder.iterdir()) == ["got", "state"]


class Disk:
    """A disk that is full when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self._pwrite = os.pwrite
        monkeypatch.setattr(disk.os, "pwrite", self.pwrite)

    def pwrite(self, handle: int, data: memoryview, offset: int) -> int:
        if self.full and len(data) > 10_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._pwrite(handle, data, offset)


@on_stage
async def test_disk_full_says_so_and_resume_fetches_nothing_verified_twice(stage, monkeypatch):
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(some_bytes(8 * MIB))
    download = await leech.get(what, seed)
    platter = Disk(monkeypatch)
    await until(lambda: download.status().done >= 3 * MIB)
    platter.full = True
    with pytest.raises(DiskFullError, match="no space is left on the disk; free some, then resume"):
        await finished(download)
    status = download.status()
    assert status.state is DownloadState.FAILED
    assert "no space is left" in status.error
    assert status.done >= 3 * MIB
    await asyncio.sleep(30)
    assert download.state is DownloadState.FAILED
    platter.full = False
    received = leech.received
    await leech.transfers.resume(what.id)
    assert what.equals(await finished(download))
    assert leech.received - received < what.size - status.done + 100_000


@on_stage
async def test_a_flush_that_fails_loses_no_more_than_what_was_not_yet_safe(stage, monkeypatch):
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(some_bytes(8 * MIB))
    download = await leech.get(what, seed)
    await until(lambda: download.status().done >= 3 * MIB)
    real, fails = disk.os.fdatasync, [True]

    def fdatasync(handle: int) -> None:
        if fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(handle)

    monkeypatch.setattr(disk.os, "fdatasync", fdatasync)
    with pytest.raises(StoreError, match="Input/output error"):
        await finished(download)
    fails.clear()
    received = leech.received
    await leech.transfers.resume(what.id)
    await until(lambda: download.state is DownloadState.RUNNING)
    assert download.status().done >= 3 * MIB - (COMMIT_SECONDS + 2) * MIB
    assert what.equals(await finished(download))
    assert leech.received - received < what.size + 100_000


@on_stage
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_no_permission_says_so(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(some_bytes(MIB))
    (leech.folder / "locked").mkdir(mode=0o500)
    with pytest.raises(StoreError, match="permission denied"):
        await finished(await leech.get(what, seed, name="locked/got"))


@on_stage
@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENAMETOOLONG])
async def test_a_folder_that_takes_nothing_is_an_error_that_says_why(stage, monkeypatch, code):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(some_bytes(MIB))
    real = os.mkdir

    def mkdir(path: str | os.PathLike, *arguments, **options) -> None:
        if str(path).endswith(".peerage-part"):
            raise OSError(code, os.strerror(code))
        real(path, *arguments, **options)

    monkeypatch.setattr(os, "mkdir", mkdir)
    download = await leech.get(what, seed)
    with pytest.raises(StoreError, match="choose a"):
        await finished(download)
    monkeypatch.undo()
    await leech.transfers.resume(what.id)
    assert what.equals(await finished(download))


@on_stage
async def test_a_folder_for_the_state_that_cannot_be_written_fails_the_download_at_once(stage, monkeypatch):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(some_bytes(MIB))
    book = leech.transfers._book

    def refuse(*_: object) -> None:
        raise StoreError("the state folder: no space is left on the disk; free some, then resume")

    monkeypatch.setattr(book, "save", refuse)
    with pytest.raises(StoreError, match="state folder"):
        await leech.get(what, seed)
    assert leech.transfers.all() == []


@on_stage
async def test_a_manifest_that_cannot_be_kept_is_an_error_and_no_endless_search(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(some_bytes(MIB))
    book = leech.transfers._book
    path = book._path(what.id, ".manifest")
    path.with_suffix(path.suffix + ".new").mkdir(parents=True)
    with pytest.raises(StoreError):
        await finished(await leech.get(what, seed), 30)


@on_stage
async def test_a_kept_manifest_that_is_damaged_is_fetched_again(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(some_bytes(4 * MIB))
    download = await leech.get(what, seed)
    await until(lambda: download.status().done >= MIB)
    await leech.transfers.pause(what.id)
    leech.transfers._book._path(what.id, ".manifest").write_bytes(b"damaged")
    await leech.restart_transfers()
    await leech.transfers.resume(what.id)
    assert what.equals(await finished(leech.transfers.get(what.id)))


@on_stage
async def test_what_somebody_else_does_to_the_unfinished_files_is_noticed(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(some_bytes(4 * MIB))
    download = await leech.get(what, seed)
    await until(lambda: download.status().done >= MIB)
    [parts] = [each for each in leech.folder.iterdir() if each.name.startswith(".")]
    (parts / "data").unlink()
    with pytest.raises(StoreError, match="vanished"):
        await finished(download)
    await leech.transfers.resume(what.id)
    assert what.equals(await finished(download))


# --- limits -----------------------------------------------------------------------------------------------------------


@on_stage
@pytest.mark.parametrize("sources", [1, 3])
async def test_a_limit_on_what_comes_in_holds(stage, sources):
    seeds = [await stage.add() for _ in range(sources)]
    leech = await stage.add()
    for seed in seeds:
        what = await seed.seed(some_bytes(6 * MIB))
    rate = 200_000
    leech.transfers.set_limits(rate, 0)
    began, received = stage.now, leech.received
    download = await leech.get(what, *seeds)
    for seconds in (10, 15, 20):
        await asyncio.sleep(began + seconds - stage.now)
        came = leech.transfers.rate.total
        allowed = rate * seconds + rate / 2
        assert came < allowed + sources * PIECE
        assert came > allowed - sources * PIECE - 2 * rate
    assert download.status().note == ""
    leech.transfers.set_limits(0, 0)
    changed = stage.now
    assert what.equals(await finished(download))
    assert stage.now - changed < 2 * what.size / LINE + 3
    assert leech.received - received < 1.3 * what.size


def test_what_has_passed_can_be_measured_before_the_list_was_read(tmp_path):
    exchange = ContentExchange()
    assert exchange.rate.total == Transfers(exchange, tmp_path).rate.total == 0


@on_stage
async def test_a_limit_below_what_a_piece_takes_is_no_stall(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(some_bytes(2 * PIECE))
    leech.transfers.set_limits(5000, 0)
    began = stage.now
    assert what.equals(await finished(await leech.get(what, seed)))
    assert stage.now - began == pytest.approx((2 * PIECE - 65_536) / 5000, rel=0.1)
    assert leech.received < 2.2 * PIECE


@on_stage
@pytest.mark.parametrize("leeches", [1, 4])
async def test_a_limit_on_what_goes_out_holds(stage, leeches):
    seed = await stage.add()
    what = await seed.seed(some_bytes(4 * MIB))
    rate = 200_000
    seed.transfers.set_limits(0, rate)
    others = [await stage.add() for _ in range(leeches)]
    for each in others:
        each.known = []
    began, sent = stage.now, seed.sent
    downloads = [await each.get(what, seed) for each in others]
    for seconds in (5, 10, 15):
        await asyncio.sleep(began + seconds - stage.now)
        gone = seed.sent - sent
        assert gone < rate * (seconds + 0.5) + leeches * 65_536 + 20_000
        assert gone > rate * (seconds - 1.5)
    seed.transfers.set_limits(0, 0)
    for download in downloads:
        assert what.equals(await finished(download))


@on_stage
async def test_a_slow_limit_on_what_goes_out_is_no_stall_for_the_other_side(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(some_bytes(2 * PIECE))
    seed.transfers.set_limits(0, 5000)
    began = stage.now
    assert what.equals(await finished(await leech.get(what, seed)))
    assert stage.now - began == pytest.approx((2 * PIECE - 65_536) / 5000, rel=0.1)
    assert leech.received < 2.2 * PIECE


@on_stage
async def test_more_links_than_the_other_side_takes_only_mean_waiting(stage):
    seed, leech = await stage.add(), await stage.add()
    contents = [await seed.seed(some_bytes(PIECE, n), name=str(n)) for n in range(12)]  # a link each; 8 are allowed
    downloads = [await leech.get(content, seed, name=f"got {n}") for n, content in enumerate(contents)]
    for content, download in zip(contents, downloads, strict=True):
        assert content.equals(await finished(download, 300))


@on_stage
async def test_too_many_downloads_are_refused(stage, monkeypatch):
    seed, leech = await stage.add(), await stage.add()
    monkeypatch.setattr("peerage.content.transfers.MAX_DOWNLOADS", 1)
    one, other = await seed.seed(b"one"), await seed.seed(b"two", name="other")
    await finished(await leech.get(one, seed, name="one"))
    with pytest.raises(LimitError, match="remove finished ones"):
        await leech.get(other, seed, name="two")


def test_a_node_that_knows_no_overlays_finds_nobody():
    async def main() -> None:
        from peerage.content.transfers import locate_nowhere

        assert [source async for source in locate_nowhere(b"")] == []

    asyncio.run(main())
