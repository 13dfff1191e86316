"""Reading contents: those that are here, and those that are just coming in, wherever the reader jumps."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from content_world import PIECE, finished, on_stage, some_bytes, until

from peerage.content.download import DownloadState
from peerage.content.picker import Priority
from peerage.content.reading import Reading, Stretch
from peerage.errors import ChangedError, LimitError, LocalError
from peerage.limits import MAX_READERS, MIB, READ_AHEAD


def reading_of(station) -> Reading:
    return Reading(station.peer, station.transfers, station._find)


async def read(reading: Reading, content: bytes, offset: int, length: int, file: int = 0) -> bytes:
    stretch = Stretch(content=content, file=file, offset=offset, length=length)
    async with aclosing(reading.read(stretch)) as chunks:
        return b"".join([chunk async for chunk in chunks])


@on_stage
async def test_a_shared_file_is_read_from_any_place(stage):
    seed = await stage.add()
    data = some_bytes(3 * PIECE + 17)
    what = await seed.seed(data)
    reading = reading_of(seed)
    space = await reading.space(what.id)
    assert space is not None
    assert space.size == len(data)
    for offset, length in ((0, len(data)), (0, 0), (len(data), 0), (PIECE - 1, 2), (3 * PIECE, 17), (5, 2 * PIECE)):
        assert await read(reading, what.id, offset, length) == data[offset : offset + length]
    for offset, length in ((-1, 1), (0, len(data) + 1), (1, -1)):
        with pytest.raises(LocalError, match="of a file of"):
            await read(reading, what.id, offset, length)
    assert await reading.space(b"x" * 32) is None
    with pytest.raises(LocalError, match="neither shared nor downloaded"):
        await read(reading, b"x" * 32, 0, 1)


@on_stage
async def test_a_file_of_a_folder(stage):
    seed = await stage.add()
    what = await seed.seed({"a": b"first", "b/c": some_bytes(PIECE + 1), "empty": b""})
    reading = reading_of(seed)
    assert await read(reading, what.id, 1, 3, file=0) == b"irs"
    assert await read(reading, what.id, PIECE - 2, 3, file=1) == some_bytes(PIECE + 1)[-3:]
    assert await read(reading, what.id, 0, 0, file=2) == b""


@on_stage
async def test_a_file_that_changed_is_not_read(stage):
    seed = await stage.add()
    what = await seed.seed(some_bytes(PIECE), name="song")
    (seed.folder / "song").write_bytes(b"other")
    with pytest.raises(ChangedError):
        await read(reading_of(seed), what.id, 0, 1)


@on_stage
async def test_a_download_is_read_while_it_comes_in_and_after(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    data = some_bytes(24 * MIB)
    what = await seed.seed(data)
    reading = reading_of(leech)
    download = await leech.get(what, seed)
    assert download.status().done == 0
    assert await read(reading, what.id, 0, len(data)) == data  # waits for the manifest, then for every piece
    assert what.equals(await finished(download))
    assert await read(reading, what.id, 3, MIB) == data[3 : MIB + 3]
    assert reading.readers == 0


@on_stage
async def test_the_readers_place_comes_first(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    data = some_bytes(48 * MIB)
    what = await seed.seed(data)
    download = await leech.get(what, seed)
    await until(lambda: download.state is DownloadState.RUNNING)
    start = stage.now
    middle = 40 * MIB
    assert await read(reading_of(leech), what.id, middle, 2 * MIB) == data[middle : middle + 2 * MIB]
    assert stage.now - start < 10  # of 48 seconds that all of it takes: what was on order before, then this
    assert download.status().done < 24 * MIB


@on_stage
async def test_a_seek_moves_the_urgency_and_a_reader_that_leaves_gives_it_back(stage):
    seed, leech = await stage.add(up=MIB // 4), await stage.add()
    what = await seed.seed(some_bytes(64 * MIB))
    reading = reading_of(leech)
    download = await leech.get(what, seed)
    await until(lambda: download.state is DownloadState.RUNNING)
    ahead = READ_AHEAD // PIECE

    def urgent() -> list[int]:
        return [n for n, each in enumerate(download.scheduler._ledger.priorities) if each == Priority.NOW]

    async def hold(offset: int) -> None:
        await read(reading, what.id, offset, 64 * MIB - offset)

    async with asyncio.TaskGroup() as group:
        first = group.create_task(hold(16 * MIB))
        await until(urgent)
        assert urgent() == list(range(64, 64 + ahead))
        second = group.create_task(hold(60 * MIB))
        await until(lambda: len(urgent()) > ahead)
        assert urgent() == [*range(64, 64 + ahead), *range(240, 256)]  # not beyond the end
        assert reading.readers == 2
        first.cancel()
        await asyncio.wait([first])
        assert set(urgent()) <= set(range(240, 256))
        second.cancel()
        await asyncio.wait([second])
    assert urgent() == []
    assert reading.readers == 0
    assert what.equals(await finished(download))


@on_stage
async def test_priorities_of_files_survive_a_reader(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    data = {str(number): some_bytes(4 * MIB, number) for number in range(4)}
    what = await seed.seed(data)
    download = await leech.get(what, seed)
    await until(lambda: download.state is DownloadState.RUNNING)
    download.set_priority("3", Priority.LOW)
    download.set_priority("0", Priority.SKIP)
    reading = reading_of(leech)
    assert await read(reading, what.id, 0, MIB, file=3) == data["3"][:MIB]
    assert set(download.scheduler._ledger.priorities) == {Priority.SKIP, Priority.NORMAL, Priority.LOW}
    with pytest.raises(LocalError, match="left out"):
        await read(reading, what.id, 0, 1, file=0)
    with pytest.raises(LocalError, match="left out"):
        await reading.check(Stretch(content=what.id, file=0, offset=0, length=1))
    await reading.check(Stretch(content=what.id, file=2, offset=0, length=1))
    await finished(download)


@on_stage
async def test_a_download_that_comes_to_rest_ends_its_readers(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(some_bytes(32 * MIB))
    reading = reading_of(leech)
    download = await leech.get(what, seed)
    waiting = asyncio.create_task(read(reading, what.id, 0, 32 * MIB))
    await until(lambda: download.status().done >= MIB)
    await leech.transfers.pause(what.id)
    with pytest.raises(LocalError, match="is paused"):
        await waiting
    with pytest.raises(LocalError, match="is paused"):
        await reading.check(Stretch(content=what.id, file=0, offset=31 * MIB, length=1))
    await leech.transfers.resume(what.id)
    waiting = asyncio.create_task(read(reading, what.id, 0, 32 * MIB))
    await until(lambda: download.status().done >= 8 * MIB)
    await leech.transfers.cancel(what.id)
    with pytest.raises(LocalError, match="cancelled|no longer"):
        await waiting


@on_stage
async def test_a_download_that_nobody_serves_is_not_waited_for_for_ever(stage):
    seed, leech = await stage.add(), await stage.add()
    what = await seed.seed(some_bytes(PIECE))
    await leech.get(what)
    with pytest.raises(LocalError, match="nobody was found"):
        await reading_of(leech).space(what.id)


@on_stage
async def test_the_number_of_readers_is_bounded(stage):
    seed = await stage.add()
    what = await seed.seed(some_bytes(2 * PIECE))
    reading = reading_of(seed)
    open_ones = [reading.read(Stretch(content=what.id, file=0, offset=0, length=2 * PIECE)) for _ in range(MAX_READERS)]
    for each in open_ones:
        await anext(each)
    with pytest.raises(LimitError, match="being read already"):
        await read(reading, what.id, 0, 1)
    for each in open_ones:
        await each.aclose()
    assert await read(reading, what.id, 0, 1) == some_bytes(2 * PIECE)[:1]
