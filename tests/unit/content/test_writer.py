"""The store of a running download, from the event loop: nothing is cut off, and a flush that failed marks nothing more."""

import asyncio
import threading

import pytest

from peerage.content.manifest import PieceHasher, content_id_of, encode
from peerage.content.store import PartialStore
from peerage.content.writer import PieceWriter
from peerage.errors import LocalError, StoreError
from peerage.limits import KIB

PIECE = 256 * KIB
DATA = b"".join(bytes([number]) * PIECE for number in range(3))


def manifest():
    hasher = PieceHasher(len(DATA))
    hasher.feed(memoryview(DATA))
    return hasher.finish()


def piece(index: int) -> memoryview:
    return memoryview(DATA)[index * PIECE : (index + 1) * PIECE]


@pytest.fixture
async def writer(tmp_path):
    made = PieceWriter(tmp_path / "target", manifest(), content_id_of(encode(manifest())), None)
    yield made
    await made.close()


@pytest.fixture
def gate(monkeypatch):
    """Hold up whatever the test says until it opens."""
    doors: dict[str, threading.Event] = {}

    def hold(name: str) -> threading.Event:
        real, door = getattr(PartialStore, name), threading.Event()

        def held(*arguments):
            door.wait(10)
            return real(*arguments)

        monkeypatch.setattr(PartialStore, name, staticmethod(held) if name == "open" else held)
        doors[name] = door
        return door

    yield hold
    for door in doors.values():
        door.set()


async def test_what_was_written_and_closed_is_there_again(writer):
    await writer.open([0])
    assert await writer.write(0, piece(0))
    assert not await writer.write(1, piece(2))
    await writer.close()
    await writer.close()
    store = await writer.open([0])
    assert list(store.have()) == [0]


async def test_a_write_under_way_is_waited_for(writer, gate):
    await writer.open([0])
    door = gate("write_piece")
    writing = writer.write(0, piece(0))
    closing = asyncio.create_task(writer.close())
    await asyncio.sleep(0)
    assert not closing.done()
    door.set()
    await closing
    assert writing.result()
    assert list((await writer.open([0])).have()) == [0]


async def test_a_finish_that_was_cancelled_goes_on_and_says_so(writer, gate, tmp_path):
    await writer.open([0])
    for index in range(3):
        assert await writer.write(index, piece(index))
    door = gate("finish")
    finishing = asyncio.create_task(writer.finish())
    await asyncio.sleep(0)
    finishing.cancel()
    door.set()
    await writer.close()
    assert writer.finished
    assert (tmp_path / "target").read_bytes() == DATA
    assert [placed.path for placed in writer.placed] == [str(tmp_path / "target")]


async def test_an_open_that_was_cancelled_is_closed_again(writer, gate):
    real = PartialStore.open
    door = gate("open")
    opening = asyncio.create_task(writer.open([0]))
    await asyncio.sleep(0)
    opening.cancel()
    door.set()
    await writer.close()
    with pytest.raises(LocalError, match="not open"):
        assert writer.store
    store = real(*writer._place, [0])  # nobody holds it
    store.close()


async def test_nothing_more_is_marked_after_a_flush_that_failed(writer, monkeypatch):
    await writer.open([0])
    assert await writer.write(0, piece(0))
    await writer.commit()
    assert await writer.write(1, piece(1))
    commits = []

    def fail(store: PartialStore) -> int:
        commits.append(store)
        raise StoreError("the disk is broken")

    monkeypatch.setattr(PartialStore, "commit", fail)
    with pytest.raises(StoreError, match="broken"):
        await writer.commit()
    await writer.close()
    assert len(commits) == 1  # closing does not try again: the kernel would say that all is well
    monkeypatch.undo()
    store = await writer.open([0])
    assert list(store.have()) == [0, 1]  # its bytes were checked and written again
    assert store.commit() == 1
    await writer.close()
    assert list((await writer.open([0])).have()) == [0, 1]


async def test_a_last_flush_that_fails_is_no_error_of_closing(writer, monkeypatch, caplog):
    await writer.open([0])
    assert await writer.write(0, piece(0))

    def fail(_store: PartialStore) -> int:
        raise StoreError("the disk is broken")

    monkeypatch.setattr(PartialStore, "commit", fail)
    await writer.close()
    assert "could not be kept: the disk is broken" in caplog.text
