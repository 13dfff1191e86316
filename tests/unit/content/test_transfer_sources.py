"""Where downloads come from: sources that come, go, lie idle or vanish, and who may have what."""

from __future__ import annotations

import asyncio

from content_world import finished, on_stage, some_bytes, until

from peerage.catalogue.record import Visibility
from peerage.content.download import DownloadState, Wanted
from peerage.content.source import Source
from peerage.identity.address import Address
from peerage.limits import MIB

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
