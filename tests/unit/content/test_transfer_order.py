"""The owner's orders about downloads: who is first, how fast, which files; and what all of it costs when there are many."""

from __future__ import annotations

import asyncio
import random
import tracemalloc

import msgspec
import pytest
from content_world import PIECE, finished, on_stage, some_bytes, until

from peerage.content import noting, standing
from peerage.content.ledger import PieceState
from peerage.content.picker import Priority
from peerage.content.source import Source
from peerage.content.status import DownloadState, Wanted
from peerage.content.transfer_book import BookEntry, TransferBook
from peerage.errors import LocalError
from peerage.identity.address import Address
from peerage.limits import IDLE_SECONDS, MAX_ACTIVE_DOWNLOADS, MIB

QUEUED = DownloadState.QUEUED
FOLDER = {"a/one": some_bytes(2 * PIECE, 1), "a/two": some_bytes(PIECE, 2), "big": some_bytes(12 * PIECE, 3), "z": b"z"}


async def several(stage, count, size=MIB):
    """A seed, a leech that runs one at once, and so many downloads."""
    seed, leech = await stage.add(up=MIB), await stage.add()
    leech.transfers.at_once = 1
    contents = [await seed.seed(some_bytes(size, n), name=str(n)) for n in range(count)]
    return seed, leech, [await leech.get(what, seed, name=f"got {n}") for n, what in enumerate(contents)]


def waiting(downloads):
    return [number for number, each in enumerate(downloads) if each.state is QUEUED]


def order(downloads):
    return sorted(range(len(downloads)), key=lambda number: downloads[number].terms.place)


@on_stage
async def test_one_at_once_in_the_order_of_the_line(stage):
    _, leech, downloads = await several(stage, 4)
    assert waiting(downloads) == [1, 2, 3]
    assert order(downloads) == [0, 1, 2, 3]
    ended = []
    for number, download in enumerate(downloads):
        download.peer.spawn(ended_in_turn(download, number, ended), "waits")
    await leech.transfers.move(downloads[3].content_id, "up")
    assert order(downloads) == [0, 1, 3, 2]
    async with asyncio.timeout(600):
        while len(ended) < 4:
            assert sum(each.is_active for each in downloads) <= 1
            await asyncio.sleep(0.1)
    assert ended == [0, 1, 3, 2]
    assert all(each.finished is not None for each in downloads)


async def ended_in_turn(download, number, ended):
    await download.wait()
    ended.append(number)


@on_stage
async def test_who_moves_to_the_top_runs_and_who_ran_waits(stage):
    _, leech, downloads = await several(stage, 3)
    await until(lambda: downloads[0].state is DownloadState.RUNNING)
    await until(lambda: downloads[0].status().done)
    await leech.transfers.move(downloads[2].content_id, "top")
    await until(lambda: downloads[2].state is DownloadState.RUNNING)
    assert waiting(downloads) == [0, 1]
    assert downloads[0].status().done  # what it has is kept
    await leech.transfers.set_level(downloads[1].content_id, 1)
    await until(lambda: downloads[1].is_active)
    assert waiting(downloads) == [0, 2]
    await leech.transfers.move(downloads[0].content_id, "bottom")
    assert order(downloads) == [1, 2, 0]
    for download in downloads:
        await finished(download)
    with pytest.raises(LocalError, match="place"):
        await leech.transfers.move(downloads[0].content_id, "top")
    with pytest.raises(LocalError, match="complete"):
        await leech.transfers.set_level(downloads[0].content_id, 1)


@on_stage
async def test_fewer_at_once_stops_the_last_and_more_starts_the_first(stage):
    _, leech, downloads = await several(stage, 5)
    leech.transfers.at_once = 3
    await until(lambda: waiting(downloads) == [3, 4])
    leech.transfers.at_once = 1
    await until(lambda: waiting(downloads) == [1, 2, 3, 4])
    leech.transfers.at_once = 0
    await until(lambda: waiting(downloads) == [])
    for download in downloads:
        await finished(download)


@on_stage
async def test_a_download_without_sources_does_not_keep_others_waiting(stage):
    seed, leech = await stage.add(), await stage.add()
    leech.transfers.at_once = 1
    dead = await leech.transfers.add(Wanted(content=bytes(32), target=leech.folder / "dead"))
    what = await seed.seed(b"alive")
    download = await leech.get(what, seed)
    await asyncio.sleep(IDLE_SECONDS - 5)
    assert download.state is QUEUED
    await finished(download, 30)
    assert dead.is_active


@on_stage
async def test_many_dead_ones_give_way_by_turns(stage):
    seed, leech = await stage.add(), await stage.add()
    for number in range(MAX_ACTIVE_DOWNLOADS):
        await leech.transfers.add(Wanted(content=bytes([number]) * 32, target=leech.folder / f"dead {number}"))
    what = await seed.seed(b"alive")
    assert what.equals(await finished(await leech.get(what, seed), 400))


@on_stage
async def test_order_limits_and_levels_outlive_a_restart(stage):
    seed, leech, downloads = await several(stage, 3)
    folder = await seed.seed(FOLDER)
    chosen = await leech.get(folder, seed, name="folder")
    transfers = leech.transfers
    await transfers.move(downloads[2].content_id, "top")
    await transfers.set_level(downloads[1].content_id, -1)
    await transfers.set_limit(downloads[0].content_id, 7 * MIB)
    await transfers.move(chosen.content_id, "top")
    await until(lambda: chosen.space is not None)
    await transfers.set_levels(chosen.content_id, {0: Priority.SKIP, 3: Priority.HIGH})
    everyone = [*downloads, chosen]
    before = [(each.content_id, each.terms, each.rules) for each in everyone]
    await leech.restart_transfers()
    leech.transfers.at_once = 1
    again = [leech.transfers.get(content) for content, *_ in before]
    assert [(each.content_id, each.terms, each.rules) for each in again] == before
    assert order(again) == [3, 2, 0, 1]
    path = await finished(again[3])
    assert {each.name for each in path.rglob("*") if each.is_file()} == {"two", "big", "z"}
    for download in again:
        await finished(download)
    ended = [each.finished for each in again]
    await leech.restart_transfers()
    assert [leech.transfers.get(content).finished for content, *_ in before] == ended
    assert leech.transfers.unfinished == 0
    assert leech.transfers.get(chosen.content_id).shape == (4, True)


@on_stage
async def test_entries_of_old_line_up_as_they_were_added(stage):
    leech = await stage.add()
    book = TransferBook(leech.folder / "state")
    contents = [bytes([9 - number]) * 32 for number in range(3)]
    for number, content in enumerate(contents):
        entry = BookEntry(content=content, target=str(leech.folder / f"{number}"), added=float(number), paused=True)
        data = {key: value for key, value in msgspec.to_builtins(entry).items() if key != "place"}
        book.save(entry)
        book._path(content, ".json").write_bytes(msgspec.json.encode(data))
    await leech.restart_transfers()
    assert [each.content_id for each in leech.transfers.all()] == contents
    assert order(leech.transfers.all()) == [0, 1, 2]


@on_stage
async def test_a_limit_of_its_own_holds_for_one_alone(stage):
    seed, leech = await stage.add(up=16 * MIB), await stage.add()
    slow, fast = [await seed.seed(some_bytes(8 * MIB, n), name=f"s{n}") for n in range(2)]
    first, second = await leech.get(slow, seed, name="slow"), await leech.get(fast, seed, name="fast")
    await leech.transfers.set_limit(slow.id, MIB // 2)
    began = stage.now
    await finished(second, 30)
    await asyncio.sleep(began + 8 - stage.now)
    assert 3 * MIB <= first.measure().done <= 6 * MIB
    await leech.transfers.set_limit(slow.id, 0)
    await finished(first, 5)


@on_stage
async def test_pieces_and_files_of_what_rests(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(FOLDER)
    download = await leech.get(what, seed)
    assert await leech.transfers.look_inside(what.id) is None
    with pytest.raises(LocalError, match="not known"):
        await leech.transfers.set_levels(what.id, {0: Priority.LOW})
    await until(lambda: download.status().done > 4 * PIECE)
    live = await leech.transfers.look_inside(what.id)
    assert live.states == download.scheduler.states()
    await leech.transfers.pause(what.id)
    done = download.status().done
    for _ in range(2):
        rest = await leech.transfers.look_inside(what.id)
        here = sum(rest.plan.space.length_of(n) for n, state in enumerate(rest.states) if state == PieceState.HAVE)
        assert here == done
        assert PieceState.IN_FLIGHT not in rest.states
        await leech.restart_transfers()
    await leech.transfers.set_levels(what.id, {2: Priority.SKIP})
    download = leech.transfers.get(what.id)
    assert download.status().wanted == sum(map(len, FOLDER.values())) - len(FOLDER["big"])
    assert download.plan is None  # nothing of it is kept in memory
    rest = await leech.transfers.look_inside(what.id)
    unwanted = [n for n, state in enumerate(rest.states) if state == PieceState.UNWANTED]
    assert set(unwanted) <= set(rest.plan.space.pieces_of(2))
    await leech.transfers.resume(what.id)
    await finished(download)
    await leech.restart_transfers()
    end = await leech.transfers.look_inside(what.id)
    kept = [n for n, state in enumerate(end.states) if state == PieceState.HAVE]
    assert set(kept) == set(range(end.plan.space.count)) - set(end.plan.space.pieces_of(2))
    with pytest.raises(LocalError, match="complete"):
        await leech.transfers.set_levels(what.id, {0: Priority.LOW})


@on_stage
async def test_what_has_ended_can_be_forgotten_and_its_files_stay(stage):
    _, leech, downloads = await several(stage, 3)
    transfers = leech.transfers
    with pytest.raises(LocalError, match="not ended"):
        await transfers.forget(downloads[0].content_id)
    paths = [await finished(download) for download in downloads]
    told = []
    transfers.watchers.append(told.append)
    await transfers.forget(downloads[1].content_id)
    assert [each.content_id for each in transfers.all()] == [downloads[0].content_id, downloads[2].content_id]
    assert await transfers.forget_finished() == 2
    assert await transfers.forget_finished() == 0
    assert transfers.all() == []
    assert set(told) == {each.content_id for each in downloads}
    assert all(path.exists() for path in paths)
    assert list((leech.folder / "state").iterdir()) == []
    await leech.restart_transfers()
    assert leech.transfers.all() == []


@on_stage
async def test_thousands_that_rest_cost_nothing_while_they_do(stage, monkeypatch):
    count = 2000
    leech = await stage.add()
    book = TransferBook(leech.folder / "state")
    sources = tuple(Source(bytes([n]) * 32, (Address(f"192.0.2.{n}", 7411),)) for n in range(1, 4))  # type: ignore[arg-type]
    for number in range(count):
        content = random.Random(number).randbytes(32)
        entry = BookEntry(
            content=content,
            target=str(leech.folder / f"{number}"),
            size=MIB,
            added=float(number),
            place=number,
            sources=sources,
            paused=number % 3 == 0,
            done=number % 3 == 1,
            error="gone" if number % 3 == 2 else "",
        )
        book._path(content, ".json").write_bytes(msgspec.json.encode(entry))
    tasks = len(asyncio.all_tasks())
    tracemalloc.start()
    await leech.restart_transfers()
    each = tracemalloc.get_traced_memory()[0] / count
    tracemalloc.stop()
    assert len(leech.transfers.all()) == count
    assert each < 8000, f"{each:.0f} bytes for each download"
    assert len(asyncio.all_tasks()) <= tasks + 1
    counted = []
    for module, name in ((noting, "entry_of"), (standing, "status_of")):
        monkeypatch.setattr(module, name, lambda *_: counted.append(1))
    saved = []
    monkeypatch.setattr(TransferBook, "save", lambda _self, entry: saved.append(entry))
    looked = []
    monkeypatch.setattr(type(leech.transfers._roster.line), "__iter__", lambda _self: looked.append(1) or iter(()))
    await asyncio.sleep(60)
    assert (counted, saved, looked) == ([], [], [])
    monkeypatch.undo()
    first = leech.transfers.all()[0]
    told = []
    leech.transfers.watchers.append(told.append)
    await leech.transfers.move(first.content_id, "bottom")
    await asyncio.sleep(5)
    assert told == [first.content_id]  # the others stand where they stood
