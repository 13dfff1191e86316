"""Downloads from the first question to the file in its place: the way it should go, paused, given up, and started again."""

from __future__ import annotations

import asyncio

import pytest
from content_world import FOLDER, PIECE, Seeded, finished, on_stage, some_bytes, until

from peerage.content.download import DownloadState
from peerage.content.picker import Priority
from peerage.content.writer import PieceWriter
from peerage.errors import LocalError, TargetExistsError
from peerage.limits import MAX_ACTIVE_DOWNLOADS, MIB

# --- the way it should go -------------------------------------------------------------------------------------------


@on_stage
async def test_a_file_from_one_source(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(some_bytes(4 * MIB + 17))
    download = await leech.get(what, seed)
    path = await finished(download)
    assert what.equals(path)
    status = download.status()
    assert (status.state, status.done, status.wanted, status.size) == (
        DownloadState.DONE,
        what.size,
        what.size,
        what.size,
    )
    assert leech.received < 1.01 * what.size
    assert sorted(each.name for each in leech.folder.iterdir()) == ["got", "state"]  # no part folder is left


@on_stage
async def test_an_empty_file(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(b"")
    assert what.equals(await finished(await leech.get(what, seed)))


@on_stage
async def test_a_folder(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(FOLDER)
    assert what.equals(await finished(await leech.get(what, seed)))


@on_stage
async def test_four_sources_share_the_work_and_are_faster_than_one(stage):
    seeds = [await stage.add(up=MIB) for _ in range(4)]
    data = some_bytes(8 * MIB)
    for seed in seeds:
        what = await seed.seed(data)
    alone, together = await stage.add(), await stage.add()
    began = stage.now
    assert what.equals(await finished(await alone.get(what, seeds[0])))
    slow = stage.now - began
    before = [seed.sent for seed in seeds]
    began = stage.now
    assert what.equals(await finished(await together.get(what, *seeds)))
    fast = stage.now - began
    assert fast < slow / 2.5
    shares = [(seed.sent - then) / what.size for seed, then in zip(seeds, before, strict=True)]
    assert min(shares) > 0.1
    assert sum(shares) < 1.2


@on_stage
async def test_only_the_files_that_fit_a_pattern(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(FOLDER)
    download = await leech.get(what, seed, only="*.txt")
    path = await finished(download)
    some = {name: data for name, data in FOLDER.items() if name.endswith(".txt")}
    assert Seeded(what.id, what.space, some).equals(path)
    status = download.status()
    assert status.wanted == status.done == sum(map(len, some.values()))
    assert status.size == what.size


@on_stage
async def test_only_what_is_in_a_folder(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(FOLDER)
    path = await finished(await leech.get(what, seed, only="b"))
    assert Seeded(what.id, what.space, {name: FOLDER[name] for name in FOLDER if name.startswith("b/")}).equals(path)


@on_stage
async def test_a_pattern_that_fits_nothing_is_an_error_that_says_so(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(FOLDER)
    with pytest.raises(LocalError, match=r"no file of got fits '\*.mp3'"):
        await finished(await leech.get(what, seed, only="*.mp3"))


@on_stage
async def test_files_with_a_higher_priority_come_first(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    data = {f"{number}": some_bytes(MIB, number) for number in range(8)}
    what = await seed.seed(data)
    download = await leech.get(what, seed)
    download.set_priority("5", Priority.HIGH)
    await until(lambda: download.status().done >= MIB)
    have = download.scheduler.have()
    assert all(index in have for index in what.space.pieces_of(5))
    await finished(download)


@on_stage
async def test_files_that_are_skipped_are_not_fetched_and_the_rest_is_complete(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    data = {f"{number}": some_bytes(MIB, number) for number in range(6)}
    what = await seed.seed(data)
    download = await leech.get(what, seed)
    await until(lambda: download.status().done >= MIB)
    download.set_priority("[0-2]", Priority.SKIP)
    download.set_priority("1", Priority.LOW)
    path = await finished(download)
    assert Seeded(what.id, what.space, {name: data[name] for name in "1345"}).equals(path)
    assert download.status().wanted == 4 * MIB


@on_stage
async def test_priorities_that_make_no_sense_are_refused(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(FOLDER)
    download = await leech.get(what, seed)
    await until(lambda: download.state is DownloadState.RUNNING)
    with pytest.raises(LocalError, match="nothing to download"):
        download.set_priority("*", Priority.SKIP)
    with pytest.raises(LocalError, match="fits 'nowhere'"):
        download.set_priority("nowhere", Priority.HIGH)
    await finished(download)
    with pytest.raises(LocalError, match="complete"):
        download.set_priority("*", Priority.LOW)


@on_stage
async def test_what_stands_there_already_is_not_fetched_again(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(FOLDER)
    (leech.folder / "got" / "b").mkdir(parents=True)
    (leech.folder / "got" / "b" / "three.txt").write_bytes(FOLDER["b/three.txt"])
    assert what.equals(await finished(await leech.get(what, seed)))
    assert leech.received < what.size - 2.5 * PIECE


# --- pause, resume, cancel, restart -------------------------------------------------------------------------------


@on_stage
async def test_pause_and_resume_fetch_nothing_twice(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(some_bytes(8 * MIB))
    download = await leech.get(what, seed)
    for part in (2, 4, 6):
        await until(lambda part=part: download.status().done >= part * MIB)
        await leech.transfers.pause(what.id)
        done = download.status().done
        assert download.status().state is DownloadState.PAUSED
        assert done >= part * MIB
        received = leech.received
        await asyncio.sleep(100)
        assert leech.received - received < MIB  # what was under way when the link was closed
        assert download.status().done == done
        await leech.transfers.resume(what.id)
    assert what.equals(await finished(download))
    assert leech.received < what.size + 3 * 3 * MIB  # what was on its way at each pause


@on_stage
async def test_cancel_leaves_nothing_on_the_disk_and_in_the_list(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(some_bytes(8 * MIB))
    download = await leech.get(what, seed)
    await until(lambda: download.status().done >= MIB)
    await leech.transfers.cancel(what.id)
    assert leech.transfers.all() == []
    assert [each.name for each in leech.folder.iterdir()] == ["state"]
    assert list((leech.folder / "state").iterdir()) == []
    with pytest.raises(LocalError, match="cancelled"):
        await download.wait()


@on_stage
@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5])
@pytest.mark.parametrize("what_for", ["pause", "cancel", "restart", "pause and cancel", "leave"])
async def test_a_stop_at_any_moment_is_clean(stage, seconds, what_for):
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(some_bytes(MIB))
    download = await leech.get(what, seed)
    await asyncio.sleep(seconds)
    transfers = leech.transfers
    if what_for == "pause":
        await transfers.pause(what.id)
        await transfers.resume(what.id)
    elif what_for == "cancel":
        done = download.state is DownloadState.DONE
        await transfers.cancel(what.id)
        if not done:
            assert [each.name for each in leech.folder.iterdir()] == ["state"]
            download = await leech.get(what, seed)
    elif what_for == "restart":
        await leech.restart_transfers()
        [download] = leech.transfers.all()
    elif what_for == "pause and cancel":
        await asyncio.gather(transfers.pause(what.id), transfers.cancel(what.id))
        assert transfers.all() == []
        return
    else:
        await stage.world.leave(leech.node)
        return
    assert what.equals(await finished(download))


@on_stage
async def test_a_caller_who_stops_waiting_for_a_pause_does_not_stop_the_pause(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(some_bytes(8 * MIB))
    download = await leech.get(what, seed)
    await until(lambda: download.status().done >= MIB)
    pausing = asyncio.create_task(leech.transfers.pause(what.id))
    await asyncio.sleep(0)
    pausing.cancel()
    await until(lambda: download.state is DownloadState.PAUSED)
    await leech.transfers.resume(what.id)
    assert what.equals(await finished(download))


@on_stage
async def test_a_pause_at_the_very_moment_of_a_look_at_the_clock_is_heard(stage):
    leech = await stage.add()
    nobody_has = Seeded(b"\7" * 32, (await leech.seed(b"")).space, b"")
    for seconds in range(1, 4):

        async def pause_later(seconds: int = seconds) -> None:
            await asyncio.sleep(seconds)
            await leech.transfers.pause(nobody_has.id)

        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(pause_later())  # its timer is set first, so it is due first
            await asyncio.sleep(0)
            download = await leech.get(nobody_has)
            await leech.transfers.resume(nobody_has.id)
        assert download.state is DownloadState.PAUSED


@on_stage
async def test_what_is_just_being_closed_is_not_offered(stage, monkeypatch):
    closing = PieceWriter.close

    async def close_slowly(writer):
        await closing(writer)
        await asyncio.sleep(0.1)

    monkeypatch.setattr(PieceWriter, "close", close_slowly)
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(some_bytes(4 * MIB))
    download = await leech.get(what, seed)
    await until(lambda: leech.transfers.holds(what.id))
    async with asyncio.TaskGroup() as group:
        pausing = group.create_task(leech.transfers.pause(what.id))
        while not pausing.done():
            leech.transfers.holds(what.id)  # never an error, whatever is under way
            await asyncio.sleep(0.01)
    assert not leech.transfers.holds(what.id)
    await leech.transfers.resume(what.id)
    assert what.equals(await finished(download))


@on_stage
async def test_a_restart_goes_on_where_it_was(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(FOLDER | {"big": some_bytes(6 * MIB)})
    download = await leech.get(what, seed)
    download.set_priority("a", Priority.SKIP)
    await until(lambda: download.status().done >= 3 * MIB)
    received = leech.received
    await leech.restart_transfers()
    [again] = leech.transfers.all()
    assert again is not download
    path = await finished(again)
    assert {each.name for each in path.iterdir()} == {"b", "z", "big"}  # the choice survived, too
    assert leech.received - received < what.size - 3 * MIB + 100_000


@on_stage
async def test_finished_failed_and_paused_ones_are_so_after_a_restart(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    small, big, odd = await seed.seed(b"small"), await seed.seed(some_bytes(4 * MIB)), await seed.seed(b"odd")
    await finished(await leech.get(small, seed, name="small"))
    paused = await leech.get(big, seed, name="big")
    (leech.folder / "odd").write_bytes(b"mine")
    with pytest.raises(TargetExistsError):
        await finished(await leech.get(odd, seed, name="odd"))
    await until(lambda: paused.status().done >= MIB)
    await leech.transfers.pause(big.id)
    before = [each.status() for each in leech.transfers.all()]
    await leech.restart_transfers()
    after = [each.status() for each in leech.transfers.all()]
    assert [(s.state, s.done, s.wanted, s.size, s.error) for s in before] == [
        (s.state, s.done, s.wanted, s.size, s.error) for s in after
    ]
    assert [status.state for status in after] == [DownloadState.DONE, DownloadState.PAUSED, DownloadState.FAILED]
    await asyncio.sleep(10)
    assert [each.state for each in leech.transfers.all()] == [status.state for status in after]


@on_stage
async def test_only_so_many_run_at_once_and_urgent_ones_go_first(stage):
    seed, leech = await stage.add(), await stage.add()
    contents = [await seed.seed(some_bytes(PIECE, n), name=str(n)) for n in range(MAX_ACTIVE_DOWNLOADS + 4)]
    downloads = [await leech.get(content, seed, name=f"got {n}") for n, content in enumerate(contents)]
    assert [n for n, each in enumerate(downloads) if each.state is DownloadState.QUEUED] == [16, 17, 18, 19]
    await leech.transfers.set_level(contents[18].id, 5)
    await leech.transfers.pause(contents[0].id)
    assert [n for n, each in enumerate(downloads) if each.state is DownloadState.QUEUED] == [16, 17, 19]
    await leech.transfers.resume(contents[0].id)
    for content, download in zip(contents, downloads, strict=True):
        assert content.equals(await finished(download))


@on_stage
async def test_the_same_content_twice_at_the_same_moment_is_one_download(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(some_bytes(MIB))
    one, other = await asyncio.gather(leech.get(what, seed), leech.get(what, seed))
    assert one is other
    with pytest.raises(LocalError, match="is being downloaded to"):
        await leech.get(what, seed, name="elsewhere")
    await finished(one)


@on_stage
async def test_two_contents_for_one_target_is_an_error_at_once(stage):
    seed, leech = await stage.add(), await stage.add()
    one, other = await seed.seed(some_bytes(MIB, 1)), await seed.seed(some_bytes(MIB, 2), name="other")
    download = await leech.get(one, seed)
    with pytest.raises(LocalError, match="another download goes to"):
        await leech.get(other, seed)
    await finished(download)


@on_stage
async def test_a_finished_one_begins_again_when_its_file_is_gone(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(some_bytes(MIB))
    path = await finished(await leech.get(what, seed))
    await asyncio.sleep(1)
    path.unlink()
    assert what.equals(await finished(await leech.get(what, seed)))


@on_stage
async def test_two_downloads_from_the_same_peer_do_not_disturb_each_other(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    one, other = await seed.seed(some_bytes(4 * MIB, 1)), await seed.seed(some_bytes(4 * MIB, 2), name="other")
    first, second = await leech.get(one, seed, name="one"), await leech.get(other, seed, name="other")
    await until(lambda: first.status().done >= MIB)
    await leech.transfers.pause(one.id)
    assert other.equals(await finished(second))
    await leech.transfers.resume(one.id)
    assert one.equals(await finished(first))
