"""Downloads from the first question to the file in its place, with everything that can go wrong on the way."""

from __future__ import annotations

import asyncio
import errno
import os

import pytest
from content_world import LINE, PIECE, Seeded, finished, on_stage, some_bytes, until

from peerage.catalogue.record import Visibility
from peerage.content import disk
from peerage.content.download import DownloadState, Wanted
from peerage.content.exchange import ContentExchange
from peerage.content.picker import Priority
from peerage.content.source import Source
from peerage.content.transfers import Transfers
from peerage.content.writer import PieceWriter
from peerage.errors import DiskFullError, LimitError, LocalError, StoreError, TargetExistsError
from peerage.identity.address import Address
from peerage.limits import COMMIT_SECONDS, MAX_ACTIVE_DOWNLOADS, MIB

FOLDER = {
    "a/one.txt": b"one" * 1000,
    "a/two.bin": some_bytes(2 * PIECE + 5, 2),
    "b/empty": b"",
    "b/three.txt": some_bytes(3 * PIECE, 3),
    "z": b"z",
}


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


# --- sources ------------------------------------------------------------------------------------------------------


@on_stage
async def test_no_source_it_keeps_looking_and_says_so_until_one_is_found(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(some_bytes(MIB))
    download = await leech.get(what)
    await asyncio.sleep(1)
    assert download.status().note == "no source is alive; looking for others"
    await asyncio.sleep(300)
    assert download.status().state is DownloadState.FINDING
    assert leech.searches >= 8
    leech.known = [seed.source]
    assert what.equals(await finished(download, 60))


@on_stage
async def test_a_source_that_is_down_is_named_in_the_note(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(some_bytes(MIB))
    await stage.kill(seed)
    download = await leech.get(what, seed)
    await asyncio.sleep(60)
    note = download.status().note
    assert note.startswith("no source is alive; looking for others (the last: ")
    assert str(seed.node.address) in note


@on_stage
async def test_a_source_that_dies_is_replaced_by_one_found_later(stage):
    first, second, leech = await stage.add(up=MIB), await stage.add(up=MIB), await stage.add()
    data = some_bytes(8 * MIB)
    what = await first.seed(data)
    await second.seed(data)
    download = await leech.get(what, first)
    await until(lambda: download.status().done >= 2 * MIB)
    leech.known = [second.source]
    await stage.kill(first)
    assert what.equals(await finished(download, 120))
    assert leech.received < what.size + 4 * MIB


@on_stage
async def test_a_source_that_vanishes_without_a_word_is_noticed(stage):
    first, second, leech = await stage.add(up=MIB), await stage.add(up=MIB), await stage.add()
    data = some_bytes(8 * MIB)
    what = await first.seed(data)
    await second.seed(data)
    download = await leech.get(what, first, second)
    await until(lambda: download.status().done >= 2 * MIB)
    await stage.kill(first, silently=True)
    assert what.equals(await finished(download, 40))


@on_stage
async def test_a_new_address_of_a_source_is_tried_at_once(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(some_bytes(MIB))
    wrong = Source(seed.peer.peer_id, (Address("10.9.9.9", 1),))
    wanted = Wanted(content=what.id, target=leech.folder / "got")
    download = await leech.transfers.add(wanted, [wrong])
    await asyncio.sleep(200)
    began = stage.now
    download.add_source(seed.source)
    await finished(download)
    assert stage.now - began < 5


@on_stage
async def test_a_hundred_dead_sources_do_not_keep_a_living_one_out(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(some_bytes(MIB))
    dead = [Source(bytes([number]) * 32, (Address("10.9.9.9", 1),)) for number in range(1, 150)]
    download = await leech.transfers.add(Wanted(content=what.id, target=leech.folder / "got"), dead)
    await asyncio.sleep(60)
    download.add_source(seed.source)
    assert what.equals(await finished(download, 60))


@on_stage
async def test_it_goes_on_when_a_partition_heals(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(some_bytes(8 * MIB))
    download = await leech.get(what, seed)
    await until(lambda: download.status().done >= 2 * MIB)
    stage.world.partition([seed.node], [leech.node])
    await asyncio.sleep(60)
    assert download.status().note.startswith("no source is alive")
    stage.world.heal()
    assert what.equals(await finished(download, 300))
    assert leech.received < what.size + 6 * MIB


@on_stage
async def test_links_that_break_again_and_again_do_not_hinder_it(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(some_bytes(8 * MIB))
    download = await leech.get(what, seed)
    while download.state not in {DownloadState.DONE, DownloadState.FAILED}:
        await asyncio.sleep(1.5)
        stage.world.net.break_links(seed.node.host, leech.node.host)
        await asyncio.sleep(8)
    assert what.equals(await finished(download))


@on_stage
async def test_a_share_that_vanished_is_no_source_and_comes_back_with_its_file(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(some_bytes(8 * MIB), name="seeded")
    download = await leech.get(what, seed)
    await until(lambda: download.status().done >= 2 * MIB)
    holding = seed.served.pop(what.id)
    path = seed.folder / "seeded"
    path.rename(seed.folder / "away")
    await asyncio.sleep(60)
    assert download.status().state is DownloadState.RUNNING
    assert "not shared here" in download.status().note
    path.write_bytes(what.data)
    assert holding.visibility is Visibility.PUBLIC
    await seed.seed(what.data, name="seeded")
    assert what.equals(await finished(download, 300))


@on_stage
async def test_clock_jumps_do_no_harm(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(some_bytes(8 * MIB))
    download = await leech.get(what, seed)
    began = stage.now
    for jump in (86_400.0, -10 * 86_400.0, 3600.0):
        await asyncio.sleep(1)
        leech.node.clock.jump(jump)
        seed.node.clock.jump(-jump)
    assert what.equals(await finished(download))
    assert stage.now - began < 12
    await leech.restart_transfers()
    assert leech.transfers.get(what.id).state is DownloadState.DONE


# --- who may have it ------------------------------------------------------------------------------------------------


@on_stage
async def test_what_is_for_friends_is_served_to_friends_only(stage):
    seed, friend, stranger = await stage.add(), await stage.add(), await stage.add()
    what = await seed.seed(some_bytes(MIB), Visibility.FRIENDS)
    seed.peer.table.update(friend.peer.peer_id, friend=True)
    refused = await stranger.get(what, seed)
    assert what.equals(await finished(await friend.get(what, seed)))
    await asyncio.sleep(60)
    assert refused.status().state is DownloadState.FINDING
    assert "not shared here" in refused.status().note  # nor is it said that it exists


@on_stage
async def test_a_friend_no_longer_gets_no_further_piece(stage):
    seed, friend = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(some_bytes(8 * MIB), Visibility.FRIENDS)
    seed.peer.table.update(friend.peer.peer_id, friend=True)
    download = await friend.get(what, seed)
    await until(lambda: download.status().done >= MIB)
    seed.peer.table.update(friend.peer.peer_id, friend=False)
    await asyncio.sleep(60)
    assert download.status().done < 6 * MIB


@on_stage
async def test_what_is_shared_by_link_is_served_to_whoever_knows_the_link(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(some_bytes(MIB), Visibility.LINK)
    assert what.equals(await finished(await leech.get(what, seed)))


@on_stage
async def test_a_content_that_nobody_has_is_refused(stage):
    seed, leech = await stage.add(), await stage.add()
    await seed.seed(b"something else")
    download = await leech.transfers.add(Wanted(content=bytes(32), target=leech.folder / "got"), [seed.source])
    await asyncio.sleep(10)
    assert download.status().state is DownloadState.FINDING
    assert "not shared here" in download.status().note


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
