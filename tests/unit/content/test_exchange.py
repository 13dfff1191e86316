"""The serving side: slots and queue, what is told to whom, and askers that ask for too much or read nothing."""

from __future__ import annotations

import asyncio

import pytest
from content_world import LINE, PIECE, Station, finished, on_stage, some_bytes, until

from peerage.content.bitmap import Bitmap
from peerage.content.download import DownloadState
from peerage.content.messages import CancelPieces, GetPiece, HavePieces, Queued, Unqueued, Want
from peerage.errors import LimitError, PeerageError, RefusedError
from peerage.limits import MAX_ASKED, MAX_PART_PAYLOAD, MIB, UPLOAD_PATIENCE, UPLOAD_TURN_SECONDS, WANTED_PER_LINK
from peerage.peer.messages import LinkKind


class Target:
    def __init__(self, length: int) -> None:
        self.length = length

    def allocate(self) -> memoryview:
        return memoryview(bytearray(self.length))

    def progress(self, count: int) -> None:
        """Nobody wants to know."""


class Asker(Station):
    """Asks by hand."""

    asked = False

    async def ask(self, seed: Station, what) -> None:
        """Open a link and say what is wanted."""
        self.heard: list = []
        if not self.asked:
            await self.peer.unmount(self.transfers)
            for kind in (HavePieces, Queued, Unqueued):
                self.peer.add_handler(kind, lambda _connection, message: self.heard.append(message))
        self.asked = True
        self.what = what
        self.connection = await self.peer.connect(seed.node.address, seed.peer.peer_id, LinkKind.BULK)
        self.parts = [part async for part in self.connection.request_parts(Want(what.id))]

    def piece(self, index: int) -> asyncio.Future:
        return self.connection.post_bulk(
            GetPiece(self.what.id, index), Target(self.what.space.length_of(index)), 3600.0
        )


async def all_of(orders) -> list:
    return await asyncio.gather(*orders, return_exceptions=True)


# --- asking ---------------------------------------------------------------------------------------------------------


@on_stage
async def test_manifest_and_map_come_in_one_answer(stage):
    seed, leech, asker = await stage.add(up=MIB), await stage.add(), await stage.add(Asker)
    data = {f"{n:05}": b"%d" % n for n in range(3000)}
    what = await seed.seed(data)
    await asker.ask(seed, what)
    assert len(asker.parts) > 1
    assert all(len(part.data) <= MAX_PART_PAYLOAD for part in asker.parts)
    assert b"".join(part.data for part in asker.parts) == seed.served[what.id].manifest
    download = await leech.get(what, seed)
    await until(lambda: download.status().done > 100)
    await asker.ask(leech, what)
    joined = b"".join(part.data for part in asker.parts)
    manifest, pieces = joined[: asker.parts[0].manifest_bytes], joined[asker.parts[0].manifest_bytes :]
    assert manifest == seed.served[what.id].manifest
    assert 0 < len(Bitmap.from_bytes(pieces, what.space.count)) <= what.space.count


@on_stage
async def test_a_piece_without_a_want_before_it_is_refused(stage):
    seed, asker = await stage.add(), await stage.add(Asker)
    what = await seed.seed(some_bytes(MIB))
    await asker.ask(seed, what)
    asker.connection.close()
    asker.connection = await asker.peer.connect(seed.node.address, seed.peer.peer_id, LinkKind.BULK)
    with pytest.raises(RefusedError, match="not shared here"):
        await asker.piece(0)


@on_stage
async def test_a_piece_that_does_not_exist_is_refused(stage):
    seed, asker = await stage.add(), await stage.add(Asker)
    what = await seed.seed(some_bytes(MIB))
    await asker.ask(seed, what)
    with pytest.raises(RefusedError, match="piece 4 of 4"):
        await asker.connection.post_bulk(GetPiece(what.id, 4), Target(1), 10.0)


@on_stage
async def test_a_piece_that_a_download_does_not_have_yet_is_refused(stage):
    seed, leech, asker = await stage.add(up=MIB), await stage.add(), await stage.add(Asker)
    what = await seed.seed(some_bytes(8 * MIB))
    download = await leech.get(what, seed)
    await until(lambda: download.status().done >= MIB)
    await asker.ask(leech, what)
    lacking = next(index for index in range(what.space.count) if index not in download.scheduler.have())
    with pytest.raises(RefusedError, match="cannot read that"):
        await asker.piece(lacking)


@on_stage
async def test_sixty_thousand_pieces_asked_for_at_once_are_refused_beyond_a_bound(stage):
    seed, asker = await stage.add(up=0), await stage.add(Asker, up=0)
    what = await seed.seed(some_bytes(100))
    await asker.ask(seed, what)
    orders = [asker.piece(0) for _ in range(60_000)]
    for _ in range(100):
        await asyncio.sleep(0.05)
        assert sum(seed.exchange._uploads._asked.values()) <= MAX_ASKED
    refused = [order for order in orders if order.done() and isinstance(order.exception(), LimitError)]
    assert len(refused) > 40_000
    asker.connection.close()
    await all_of(orders)
    await asyncio.sleep(1)
    assert seed.exchange.waiting == 0
    assert not seed.exchange._uploads._asked


@on_stage
async def test_a_link_is_told_of_a_bounded_number_of_contents(stage):
    seed, asker = await stage.add(), await stage.add(Asker)
    contents = [await seed.seed(b"%d" % n) for n in range(WANTED_PER_LINK + 10)]
    await asker.ask(seed, contents[0])
    for what in contents[1:]:
        assert [part async for part in asker.connection.request_parts(Want(what.id))]
    with pytest.raises(RefusedError):
        await asker.piece(0)
    asker.what = contents[-1]
    assert await asker.piece(0)


@on_stage
async def test_cancelled_pieces_end_with_a_refusal_and_are_not_sent(stage):
    seed, asker = await stage.add(up=MIB), await stage.add(Asker)
    what = await seed.seed(some_bytes(8 * MIB))
    await asker.ask(seed, what)
    orders = [asker.piece(index) for index in range(what.space.count)]
    asker.connection.send(CancelPieces(what.id, tuple(range(8, what.space.count))))
    results = await all_of(orders)
    assert all(isinstance(result, memoryview) for result in results[:8])
    assert all(isinstance(result, PeerageError) for result in results[12:])
    assert seed.sent < 14 * PIECE


# --- slots and queue ------------------------------------------------------------------------------------------------


@on_stage
async def test_one_slot_serves_one_after_the_other_and_those_who_wait_are_told(stage):
    seed = await stage.add(up=MIB)
    seed.exchange.slots = 1
    what = await seed.seed(some_bytes(4 * MIB))
    leeches = [await stage.add() for _ in range(3)]
    downloads = []
    for leech in leeches:
        downloads.append(await leech.get(what, seed))
        await asyncio.sleep(0.7)
    await asyncio.sleep(0.5)
    notes = [download.status().note for download in downloads]
    assert notes == ["", *["its sources are busy; waiting in their queue"] * 2]
    done = [download.status().done for download in downloads]
    assert done[0] > 0
    assert done[1:] == [0, 0]
    for download in downloads:
        assert what.equals(await finished(download))


@on_stage
async def test_turns_change_while_others_wait_and_nobody_is_dropped_for_it(stage):
    seed = await stage.add(up=MIB)
    seed.exchange.slots = 1
    what = await seed.seed(some_bytes(60 * MIB))
    leeches = [await stage.add() for _ in range(3)]
    downloads = [await leech.get(what, seed) for leech in leeches]
    for leech in leeches:  # none of them may help another here
        leech.keep_to_itself()
    await asyncio.sleep(4 * UPLOAD_TURN_SECONDS)
    done = [download.status().done for download in downloads]
    assert min(done) > 0.15 * sum(done)
    assert all(leech.peer.metrics.value("sources_stalled") == 0 for leech in leeches)
    assert sum(leech.received for leech in leeches) < sum(done) + 8 * MIB
    for leech in leeches:
        await leech.transfers.cancel(what.id)


@on_stage
async def test_slots_can_be_changed_while_peers_are_served(stage):
    seed = await stage.add(up=MIB)
    what = await seed.seed(some_bytes(30 * MIB))
    leeches = [await stage.add() for _ in range(4)]
    downloads = [await leech.get(what, seed) for leech in leeches]
    for leech in leeches:
        leech.keep_to_itself()
    await until(lambda: all(download.status().done for download in downloads))
    seed.exchange.slots = 1
    await asyncio.sleep(12)
    waiting = [download for download in downloads if download.status().note]
    assert len(waiting) == 3
    seed.exchange.slots = 4
    await asyncio.sleep(12)
    assert not [download for download in downloads if download.status().note]
    for leech in leeches:
        await leech.transfers.cancel(what.id)


@on_stage
async def test_a_peer_that_dies_in_its_turn_frees_the_slot(stage):
    seed = await stage.add(up=MIB)
    seed.exchange.slots = 1
    what = await seed.seed(some_bytes(8 * MIB))
    first, second, third = [await stage.add() for _ in range(3)]
    download = await first.get(what, seed)
    await until(lambda: download.status().done)
    waits = await second.get(what, seed)
    goes = await third.get(what, seed)
    await until(lambda: waits.status().note and goes.status().note)
    second.keep_to_itself()
    third.keep_to_itself()
    await stage.kill(first)
    await stage.kill(second)
    assert what.equals(await finished(goes, 30))
    await until(lambda: seed.exchange.waiting == 0, 5)


@on_stage
async def test_a_peer_that_reads_nothing_loses_its_link_and_not_the_others_their_turn(stage):
    seed, asker, leech = await stage.add(up=LINE), await stage.add(Asker), await stage.add()
    seed.exchange.slots = 1
    what = await seed.seed(some_bytes(16 * MIB))
    await asker.ask(seed, what)
    asker.connection._link.pause_reading()
    orders = [asker.piece(index) for index in range(64)]
    await asyncio.sleep(1)
    download = await leech.get(what, seed)
    await asyncio.sleep(2)
    assert download.status().note
    await until(lambda: download.status().done, 2 * UPLOAD_PATIENCE + 5)
    assert what.equals(await finished(download))
    asker.connection._link.resume_reading()
    assert any(isinstance(result, PeerageError) for result in await all_of(orders))


@on_stage
async def test_eight_links_of_one_peer_are_one_in_the_queue(stage):
    seed, greedy, modest = await stage.add(up=MIB), await stage.add(Asker), await stage.add()
    seed.exchange.slots = 1
    what = await seed.seed(some_bytes(60 * MIB))
    await greedy.ask(seed, what)
    links = [greedy.connection]
    for _ in range(5):
        links.append(await greedy.peer.connect(seed.node.address, seed.peer.peer_id, LinkKind.BULK))
        assert [part async for part in links[-1].request_parts(Want(what.id))]
    orders = []
    for number, link in enumerate(links):
        greedy.connection = link
        orders += [greedy.piece(40 * number + index) for index in range(40)]
    await asyncio.sleep(1)
    download = await modest.get(what, seed)
    await until(lambda: download.status().done, UPLOAD_TURN_SECONDS + 10)
    await modest.transfers.cancel(what.id)
    for link in links:
        link.close()
    await all_of(orders)


# --- news, and what becomes of a download that others watch --------------------------------------------------------


@on_stage
async def test_news_come_in_order_and_once(stage):
    seed, leech, asker = await stage.add(up=MIB), await stage.add(), await stage.add(Asker)
    what = await seed.seed(some_bytes(6 * MIB))
    download = await leech.get(what, seed)
    await until(lambda: download.status().done >= MIB)
    await asker.ask(leech, what)
    pieces = Bitmap.from_bytes(asker.parts[-1].data[-asker.parts[0].map_bytes :], what.space.count)
    await finished(download)
    await asyncio.sleep(1)
    told = [index for message in asker.heard if isinstance(message, HavePieces) for index in message.indices]
    assert len(told) == len(set(told))
    assert sorted([*told, *pieces]) == list(range(what.space.count))
    assert bytes(await asker.piece(0)) == what.data[:PIECE]  # from the finished file now


@on_stage
async def test_a_watcher_that_reads_nothing_does_not_keep_news_from_the_others(stage):
    seed, leech, deaf, keen = [
        await stage.add(up=MIB),
        await stage.add(),
        await stage.add(Asker),
        await stage.add(Asker),
    ]
    what = await seed.seed(some_bytes(6 * MIB))
    download = await leech.get(what, seed)
    await until(lambda: download.status().done >= MIB)
    await deaf.ask(leech, what)
    await keen.ask(leech, what)
    [link] = [each for each in leech.peer.connections() if each.peer_id == deaf.peer.peer_id]
    link._out.block()
    link._out._maximum = -1
    await asyncio.sleep(0.5)
    deaf.heard.clear()
    await finished(download)
    await asyncio.sleep(1)
    assert not [message for message in deaf.heard if isinstance(message, HavePieces)]
    assert [message for message in keen.heard if isinstance(message, HavePieces)]


@on_stage
async def test_a_paused_download_serves_again_once_it_goes_on(stage):
    seed, leech, other = await stage.add(up=MIB), await stage.add(), await stage.add()
    what = await seed.seed(some_bytes(16 * MIB))
    download = await leech.get(what, seed)
    await until(lambda: download.status().done >= 2 * MIB)
    second = await other.get(what, leech)
    await until(lambda: second.status().done >= MIB)
    await leech.transfers.pause(what.id)
    await asyncio.sleep(5)
    await leech.transfers.resume(what.id)
    assert what.equals(await finished(second))


@on_stage
async def test_a_cancelled_download_is_served_no_more(stage):
    seed, leech, asker = await stage.add(up=MIB), await stage.add(), await stage.add(Asker)
    what = await seed.seed(some_bytes(4 * MIB))
    await finished(await leech.get(what, seed))
    await asyncio.sleep(1)
    await asker.ask(leech, what)
    assert await asker.piece(0)
    await leech.transfers.cancel(what.id)
    with pytest.raises(RefusedError, match="not shared here"):
        await asker.piece(0)
    with pytest.raises(RefusedError, match="not shared here"):
        assert [part async for part in asker.connection.request_parts(Want(what.id))]


@on_stage
async def test_a_finished_file_that_was_changed_is_served_no_more(stage):
    seed, leech, asker = await stage.add(up=MIB), await stage.add(), await stage.add(Asker)
    what = await seed.seed(some_bytes(4 * MIB))
    path = await finished(await leech.get(what, seed))
    await asyncio.sleep(1)
    await asker.ask(leech, what)
    path.write_bytes(b"other" + what.data[5:])
    with pytest.raises(RefusedError):
        await asker.piece(0)


@on_stage
async def test_whoever_stops_serving_says_so(stage):
    seed, asker = await stage.add(up=MIB), await stage.add(Asker)
    what = await seed.seed(some_bytes(8 * MIB))
    await asker.ask(seed, what)
    orders = [asker.piece(index) for index in range(32)]
    await asyncio.sleep(1)
    await seed.peer.unmount(seed.transfers)
    await seed.peer.unmount(seed.exchange)
    results = await all_of(orders)
    assert isinstance(results[-1], LimitError)
    assert seed.exchange.waiting == 0


@on_stage
async def test_the_state_of_a_download_that_is_asked_for_is_what_it_says(stage):
    seed, leech = await stage.add(up=MIB), await stage.add()
    what = await seed.seed(some_bytes(2 * MIB))
    assert not leech.transfers.holds(what.id)
    download = await leech.get(what, seed)
    await until(lambda: download.state is DownloadState.RUNNING)
    assert leech.transfers.holds(what.id)
    await finished(download)
    await asyncio.sleep(1)
    assert leech.transfers.holds(what.id)
    await leech.transfers.cancel(what.id)
    assert not leech.transfers.holds(what.id)
