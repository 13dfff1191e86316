"""Indexes in a small world in virtual time: what works, what fails over, and who is caught lying."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from index_world import QUICK, SettledIndex, in_index_world, lying
from overlay_world import content_of, record

from peerage.catalogue.index_table import IndexBounds
from peerage.catalogue.locator import locator_of
from peerage.catalogue.record import Visibility, decode, encode
from peerage.errors import LimitError, RefusedError
from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.overlay.base import LocateRequest, SearchRequest
from peerage.overlay.index import IndexRules
from peerage.overlay.index.messages import AskIndex, Enrol, HolderAnswer, Register, SeekInIndex
from peerage.overlay.index.signed import Term, make_claim, make_lease
from peerage.overlay.shelf import CatalogueShelf

STRANGER = PeerKey.from_seed(b"s" * 32)


def names(hits):
    return sorted(hit.record.name for hit in hits)


async def two_indexes_and_two_users(world, **more):
    """Return two nodes that serve an index, one that shares, one that asks."""
    one, other = [await world.add_node(serves=True) for _ in range(2)]
    sharer, asker = [await world.add_node(indexes=(one, other), **more) for _ in range(2)]
    return one, other, sharer, asker


def view_of(node, index):
    (view,) = [each for each in node.overlay.indexes() if each.peer_id == index.peer.peer_id]
    return view


# --- what works ---------------------------------------------------------------------------------------------------


def test_records_are_registered_with_several_indexes_and_come_out_once():
    async def main(world):
        one, other, sharer, asker = await two_indexes_and_two_users(world)
        shared = await sharer.share("blue.flac")
        assert one.served.count == other.served.count == 1
        async with asker.overlay.search(SearchRequest(text="blue")) as search:
            hits = [hit async for hit in search]
        assert [hit.record for hit in hits] == [shared]
        assert hits[0].holder.addresses == (sharer.address,)
        assert search.cost.peers_asked == 2
        assert view_of(sharer, one).registered

    in_index_world(main)


def test_many_records_are_registered_and_withdrawn_everywhere():
    async def main(world):
        one, other, sharer, _ = await two_indexes_and_two_users(world)
        many = [record(sharer.peer.key, f"blue {number}.flac") for number in range(300)]
        await sharer.share_records(many)
        assert one.served.count == other.served.count == 300
        await sharer.overlay.withdraw(many[:299])
        assert one.served.count == other.served.count == 1
        await sharer.overlay.publish(many[:10])
        assert one.served.count == other.served.count == 11

    in_index_world(main)


def test_what_is_only_for_friends_never_leaves_its_owner():
    async def main(world):
        one, other, sharer, asker = await two_indexes_and_two_users(world)
        shared = await sharer.share("blue.flac", visibility=Visibility.FRIENDS)
        assert one.served.count == other.served.count == 0
        assert await asker.locate(shared.content) == []
        public = await sharer.share("red.flac")
        await sharer.share_records([record(sharer.peer.key, "red.flac", visibility=Visibility.FRIENDS)])
        assert await asker.search("red") == []
        assert await asker.locate(public.content) == []

    in_index_world(main)


def test_the_index_is_not_told_what_is_shared_by_link():
    async def main(world):
        one, _, sharer, asker = await two_indexes_and_two_users(world)
        shared = await sharer.share("blue.flac", visibility=Visibility.LINK)
        (kept,) = await one.served.holders(locator_of(shared.content), 10)
        assert shared.content not in kept.body
        assert b"blue" not in kept.body
        assert [holder.peer_id for holder in await asker.locate(shared.content)] == [sharer.peer.peer_id]

    in_index_world(main)


def test_what_is_being_fetched_is_located():
    async def main(world):
        index = await world.add_node(serves=True)
        content, fetching = content_of("half"), []

        def shelf(node):
            return CatalogueShelf(node.database, node.peer.peer_id, lambda: fetching)

        fetcher = await world.add_node(indexes=[index], shelf=shelf)
        asker = await world.add_node(indexes=[index])
        fetching.append(content)
        await asyncio.sleep(2 * QUICK.upkeep)
        assert [holder.peer_id for holder in await asker.locate(content)] == [fetcher.peer.peer_id]
        fetching.clear()
        await asyncio.sleep(2 * QUICK.upkeep)
        assert await asker.locate(content) == []

    in_index_world(main)


def test_entries_are_renewed_while_their_owner_lives_and_end_with_it():
    async def main(world):
        one, _, sharer, asker = await two_indexes_and_two_users(world)
        await sharer.share("blue.flac")
        await asyncio.sleep(3 * QUICK.lease)
        assert names(await asker.search("blue")) == ["blue.flac"]
        world.kill(sharer)
        await asyncio.sleep(QUICK.lease + 2 * QUICK.upkeep)
        assert await asker.search("blue") == []
        await asyncio.sleep(QUICK.kept + 2 * QUICK.upkeep)
        assert one.served.count == 0

    in_index_world(main)


def test_who_leaves_in_order_is_told_of_no_more():
    async def main(world):
        one, _, sharer, asker = await two_indexes_and_two_users(world)
        await sharer.share("blue.flac")
        await sharer.peer.unmount(sharer.overlay)
        await asyncio.sleep(1)
        assert await asker.search("blue") == []
        assert one.served.count == 1  # it may come back at once

    in_index_world(main)


def test_who_comes_back_with_the_same_shares_need_not_tell_them_again():
    async def main(world):
        one, _, sharer, asker = await two_indexes_and_two_users(world)
        made = [record(sharer.peer.key, f"blue {number}.flac") for number in range(20)]
        await sharer.share_records(made)
        told = one.metric("index_registered")
        await sharer.peer.unmount(sharer.overlay)
        await sharer.peer.mount(sharer.overlay)
        await sharer.overlay.publish(made)
        assert len(await asker.search("blue")) == 20
        assert one.metric("index_registered") == told
        await sharer.peer.unmount(sharer.overlay)
        await sharer.peer.mount(sharer.overlay)
        await sharer.overlay.publish(made[:5])
        assert one.served.count == 5
        assert len(await asker.search("blue")) == 5

    in_index_world(main)


def test_an_index_that_lost_everything_is_told_again():
    async def main(world):
        one, _, sharer, _ = await two_indexes_and_two_users(world)
        await sharer.share("blue.flac")
        await one.served.drop_holder(sharer.peer.peer_id)
        await asyncio.sleep(QUICK.lease)
        assert one.served.count == 1

    in_index_world(main)


def test_a_holder_that_withdraws_very_much_begins_afresh(monkeypatch):
    monkeypatch.setattr("peerage.overlay.index.ledger.INDEX_REMOVALS", 3)

    async def main(world):
        one, other, sharer, _ = await two_indexes_and_two_users(world)
        many = [record(sharer.peer.key, f"blue {number}") for number in range(20)]
        await sharer.share_records(many)
        await sharer.overlay.withdraw(many[:12])
        assert one.served.count == other.served.count == 8
        assert sharer.metric("index_registrations_failed") == 0

    in_index_world(main)


def test_an_index_that_is_full_is_not_named_in_the_lease():
    async def main(world):
        full, roomy = [await world.add_node(serves=True, bounds=bounds) for bounds in (IndexBounds(total=3), None)]
        sharer, asker = [await world.add_node(indexes=[full, roomy]) for _ in range(2)]
        await sharer.share_records([record(sharer.peer.key, f"blue {number}") for number in range(8)])
        assert full.served.count == 3
        assert [view_of(sharer, index).registered for index in (full, roomy)] == [False, True]
        await asyncio.sleep(2 * QUICK.lease)
        assert full.served.count == 3
        assert len(await asker.search("blue")) == 8
        assert view_of(asker, full).omitted == 0
        assert view_of(asker, roomy).compared == 1

    in_index_world(main)


def test_a_node_finds_and_offers_what_its_own_index_has():
    async def main(world):
        index = await world.add_node(serves=True)
        sharer, asker = [await world.add_node(indexes=[index]) for _ in range(2)]
        await sharer.share("blue.flac")
        own = await index.share("blue too.flac")
        secret = await index.share("blue link.flac", visibility=Visibility.LINK)
        assert names(await index.search("blue")) == ["blue.flac"]
        assert names(await asker.search("blue")) == ["blue too.flac", "blue.flac"]
        for shared in (own, secret):
            (holder,) = await asker.locate(shared.content)
            assert holder.addresses == (index.address,)
        await index.unshare(own)
        assert names(await asker.search("blue")) == ["blue.flac"]
        await asyncio.sleep(2 * QUICK.lease)
        (holder,) = await asker.locate(secret.content)
        assert holder.peer_id == index.peer.peer_id

    in_index_world(main)


def test_neighbours_tell_each_other_of_indexes():
    async def main(world):
        a, b, c = [await world.add_node() for _ in range(3)]
        index = await world.add_node(serves=True)
        for left, right in ((a, b), (b, c), (c, index)):
            await world.link(left, right)
        await asyncio.sleep(5)
        for node in (a, b, c):
            assert view_of(node, index).proved
        await a.share("blue.flac")
        assert names(await b.search("blue")) == ["blue.flac"]

    in_index_world(main)


# --- no index is a single point of failure --------------------------------------------------------------------------


def test_index_killed_in_mid_search():
    async def main(world):
        one, other, sharer, asker = await two_indexes_and_two_users(world)
        many = [
            record(sharer.peer.key, f"blue {number} {'x' * 200}.flac", path=("y" * 120,) * 4) for number in range(400)
        ]
        await sharer.share_records(many)
        async with asker.overlay.search(SearchRequest(text="blue", wanted=400)) as search:
            first = await anext(search)
            world.kill(one)
            rest = [hit async for hit in search]
        assert sorted(hit.record.name for hit in [first, *rest]) == sorted(each.name for each in many)
        assert len(await asker.search("blue", wanted=400)) == 400
        assert view_of(asker, one).failed >= 1

    in_index_world(main)


def test_when_an_index_dies_others_take_its_place():
    async def main(world):
        indexes = [await world.add_node(serves=True) for _ in range(4)]
        rules = msgspec.structs.replace(QUICK, used=2)
        sharer, asker = [await world.add_node(indexes=indexes, rules=rules) for _ in range(2)]
        await sharer.share("blue.flac")
        first = [index for index in indexes if index.served.count]
        assert len(first) == 2
        for index in first:
            world.kill(index)
        await asyncio.sleep(QUICK.lease)
        assert [index.served.count for index in indexes if index not in first] == [1, 1]
        assert names(await asker.search("blue")) == ["blue.flac"]

    in_index_world(main)


def test_a_silent_index_holds_nobody_up():
    async def main(world):
        silent, honest = [await world.add_node(serves=True) for _ in range(2)]
        rules = msgspec.structs.replace(QUICK, used=1)
        sharer = await world.add_node(indexes=[silent, honest])
        await sharer.share("blue.flac")
        silent.peer.remove_handler(AskIndex)

        async def never(connection, message):
            await asyncio.sleep(3600)

        silent.peer.add_handler(AskIndex, never)
        for number in range(8):
            asker = await world.add_node(indexes=[silent, honest], rules=rules)
            async with asker.overlay.search(SearchRequest(text="blue", wanted=1)) as search:
                assert [hit.record.name async for hit in search] == ["blue.flac"], number
            assert search.cost.seconds < 2 * QUICK.patience
        silent.peer.remove_handler(AskIndex)
        silent.peer.add_handler(AskIndex, never)  # what its overlay takes off when it ends

    in_index_world(main)


def test_the_network_of_1999_ends_with_its_index():
    async def main(world):
        rules = msgspec.structs.replace(IndexRules.classic_1999(), quiet=0.01)
        only, spare = [await world.add_node(serves=True) for _ in range(2)]
        sharer, asker = [await world.add_node(indexes=[only], rules=rules) for _ in range(2)]
        await world.link(asker, spare)
        await sharer.share("blue.flac")
        assert spare.served.count == 0
        assert names(await asker.search("blue")) == ["blue.flac"]
        world.kill(only)
        assert await asker.search("blue") == []

    in_index_world(main)


# --- an index can lie, and is caught ----------------------------------------------------------------------------------


def forge(answers):
    """Change what holders have signed, and send everybody elsewhere."""
    forged = []
    for holder in answers:
        real = decode(holder.bodies[0])
        renamed = encode(msgspec.structs.replace(real, name="blue renamed.flac"))
        other = encode(record(STRANGER, "blue stranger.flac"))
        off_topic = encode(msgspec.structs.replace(real, name="red.flac"))
        bodies = (renamed, other, off_topic, b"rubbish")
        spoilt = holder.lease[:-1] + bytes([holder.lease[-1] ^ 1])
        elsewhere = (Address("6.6.6.6", 666), *holder.addresses)
        forged += [
            HolderAnswer(holder.lease, elsewhere, bodies),
            HolderAnswer(spoilt, elsewhere, holder.bodies),
            HolderAnswer(b"rubbish", (), holder.bodies),
        ]
    return forged


def test_lying_index():
    async def main(world):
        liar = await world.add_node(serves=True, kind=lying(forge))
        sharer, asker = [await world.add_node(indexes=[liar]) for _ in range(2)]
        await sharer.share("blue.flac")
        assert await asker.search("blue") == []
        for reason, times in {"forged": 2, "foreign": 1, "off-topic": 1, "malformed": 2}.items():
            assert asker.metric("index_refused", reason) == times, reason
        assert view_of(asker, liar).refused == 6

    in_index_world(main)


def test_an_index_that_tells_only_rubbish_is_cut_off():
    async def main(world):
        def rubbish(answers):
            return [HolderAnswer(each.lease, (), (b"rubbish",) * 64) for each in answers * 100]

        liar = await world.add_node(serves=True, kind=lying(rubbish))
        honest = await world.add_node(serves=True)
        rules = msgspec.structs.replace(QUICK, used=1)
        sharer = await world.add_node(indexes=[liar, honest])
        await sharer.share("blue.flac")
        for _ in range(8):
            asker = await world.add_node(indexes=[liar, honest], rules=rules)
            async with asker.overlay.search(SearchRequest(text="blue")) as search:
                assert [hit.record.name async for hit in search] == ["blue.flac"]
            assert search.cost.refused == 64
            assert view_of(asker, liar).failed == 1

    in_index_world(main)


def test_an_index_cannot_send_anybody_elsewhere():
    async def main(world):
        def redirect(answers):
            return [
                msgspec.structs.replace(each, addresses=(Address("6.6.6.6", 666), *each.addresses)) for each in answers
            ]

        liar = await world.add_node(serves=True, kind=lying(redirect))
        sharer, asker = [await world.add_node(indexes=[liar]) for _ in range(2)]
        shared = await sharer.share("blue.flac")
        (hit,) = await asker.search("blue")
        assert hit.holder.addresses == (sharer.address,)
        (holder,) = await asker.locate(shared.content)
        assert holder.addresses == (sharer.address,)

    in_index_world(main)


def test_stale_index():
    async def main(world):
        kept = []

        def remember(answers):
            kept.extend(answers)
            return kept

        liar = await world.add_node(serves=True, kind=lying(remember))
        sharer = await world.add_node(indexes=[liar])
        asker = await world.add_node(indexes=[liar])
        shared = await sharer.share("blue.flac")
        assert len(await asker.search("blue")) == 1
        world.kill(sharer)
        await asyncio.sleep(QUICK.lease + 600)
        assert await asker.search("blue") == []
        assert await asker.locate(shared.content) == []
        assert asker.metric("index_refused", "stale") >= 2

    in_index_world(main)


def test_censoring_index():
    async def main(world):
        def leave_out(answers):
            left = [(each, tuple(body for body in each.bodies if b"banned" not in body)) for each in answers]
            return [msgspec.structs.replace(each, bodies=bodies) for each, bodies in left]

        censor = await world.add_node(serves=True, kind=lying(leave_out))
        honest = [await world.add_node(serves=True) for _ in range(2)]
        indexes = [censor, *honest]
        asker = await world.add_node(indexes=indexes)
        for _ in range(5):
            sharer = await world.add_node(indexes=indexes)
            await sharer.share_records([record(sharer.peer.key, name) for name in ("blue banned", "blue song")])
        await asyncio.sleep(600)
        async with asker.overlay.search(SearchRequest(text="blue")) as search:
            assert len([hit async for hit in search]) == 10  # nothing is lost by it
        assert view_of(asker, censor).omitted == view_of(asker, censor).compared == 5  # and it is shown
        assert view_of(asker, censor).suspect
        assert asker.metric("index_omissions") == 5
        assert asker.overlay.indexes()[-1].peer_id == censor.peer.peer_id  # it is used last
        for index in honest:
            assert view_of(asker, index).omitted == 0
            assert view_of(asker, index).compared == 5

    in_index_world(main)


def test_an_index_cannot_be_framed():
    """One index invents a holder that says to be registered with the other: only real leases count against it."""

    async def main(world):
        victim = await world.add_node(serves=True)

        def invent(_answers):
            now = int(world.now())
            where = (Address("192.0.2.1", 1),)
            lease = make_lease(STRANGER, where, Term(now - 1000, now + 1000), [victim.peer.peer_id])
            forged = lease[:-64] + bytes(64)
            return [HolderAnswer(forged, where, (encode(record(STRANGER, "blue.flac")),))]

        liar = await world.add_node(serves=True, kind=lying(invent))
        asker = await world.add_node(indexes=[victim, liar])
        world.now = asker.peer.clock.time
        assert await asker.search("blue") == []
        assert view_of(asker, victim).omitted == 0

    in_index_world(main)


# --- holders can lie, too ---------------------------------------------------------------------------------------------


async def lease_of(node, key=None, **changes):
    now = int(node.peer.clock.time())
    term = Term(now + changes.get("issued", 0), now + changes.get("expires", 1000))
    return make_lease(key or node.peer.key, (Address("", 7411),), term, ())


@pytest.mark.parametrize("lie", ["theirs", "ended", "future", "too-long", "rubbish"])
def test_lease_that_does_not_hold(lie):
    async def main(world):
        index = await world.add_node(serves=True)
        node = await world.add_node()
        lease = {
            "theirs": await lease_of(node, STRANGER),
            "ended": await lease_of(node, issued=-5000, expires=-1000),
            "future": await lease_of(node, issued=5000, expires=6000),
            "too-long": await lease_of(node, expires=10**6),
            "rubbish": b"rubbish",
        }[lie]
        link = await node.peer.connect(index.address)
        with pytest.raises(RefusedError, match="lease"):
            await link.request(Enrol(lease))
        assert index.metric("index_denied", "lease") == 1

    in_index_world(main)


def test_only_the_holder_registers_what_is_its_own():
    async def main(world):
        index = await world.add_node(serves=True)
        node = await world.add_node()
        link = await node.peer.connect(index.address)
        mine = record(node.peer.key, "blue.flac")
        with pytest.raises(RefusedError, match="not-enrolled"):
            await link.request(Register((encode(mine),)))
        await link.request(Enrol(await lease_of(node)))
        future = record(node.peer.key, "x")
        lies = [
            Register((encode(record(STRANGER, "blue stranger.flac")),)),
            Register((encode(msgspec.structs.replace(mine, name="renamed")),)),
            Register((encode(record(node.peer.key, "friends", visibility=Visibility.FRIENDS)),)),
            Register((encode(msgspec.structs.replace(future, issued=2**40)),)),
            Register((b"rubbish",)),
            Register((), (make_claim(STRANGER, bytes(32), 5),)),
            Register((), (make_claim(node.peer.key, bytes(32), 2**40),)),
            Register((), (b"rubbish",)),
        ]
        for lie in lies:
            with pytest.raises(RefusedError, match="forged"):
                await link.request(lie)
        assert index.served.count == 0
        assert (await link.request(Register((encode(mine),)))).added == 1

    in_index_world(main)


def test_flood_of_records_and_of_questions():
    async def main(world):
        slow = msgspec.structs.replace(QUICK, queries_rate=1.0, queries_burst=3.0, records_rate=1.0, records_burst=3.0)
        index = await world.add_node(serves=True, rules=slow)
        node = await world.add_node()
        link = await node.peer.connect(index.address)
        await link.request(Enrol(await lease_of(node)))
        raw = tuple(encode(record(node.peer.key, f"blue {number}")) for number in range(4))
        with pytest.raises(LimitError, match="records-rate"):
            await link.request(Register(raw))
        assert (await link.request(Register(raw[:3]))).added == 3
        for _ in range(3):
            assert [part async for part in link.request_parts(AskIndex("blue", 1))]
        with pytest.raises(LimitError, match="queries-rate"):
            [part async for part in link.request_parts(SeekInIndex(bytes(32), 1))]
        link.abort(RefusedError("x", "y"))
        again = await node.peer.connect(index.address)
        with pytest.raises(LimitError, match="queries-rate"):  # a new link brings nothing back
            [part async for part in again.request_parts(AskIndex("blue", 1))]

    in_index_world(main)


def test_costly_questions(monkeypatch):
    monkeypatch.setattr("peerage.catalogue.record_finder.WORK_STEPS", 100)

    async def main(world):
        slow = msgspec.structs.replace(QUICK, queries_rate=0.5, queries_burst=10.0)
        index = await world.add_node(serves=True, rules=slow)
        sharer, asker = [await world.add_node(indexes=[index]) for _ in range(2)]
        await sharer.share_records([record(sharer.peer.key, f"blue {number}") for number in range(500)])
        link = await asker.peer.connect(index.address)
        for text in ("499", "499", "499", "size:<1"):
            assert bool([part async for part in link.request_parts(AskIndex(text, 1))]) == (text == "499")
        with pytest.raises(LimitError, match="queries-rate"):
            [part async for part in link.request_parts(AskIndex("499", 1))]

    in_index_world(main)


def test_a_holder_that_is_slowed_down_gets_there():
    async def main(world):
        slow = msgspec.structs.replace(QUICK, records_rate=20.0, records_burst=64.0)
        index = await world.add_node(serves=True, rules=slow)
        sharer = await world.add_node(indexes=[index])
        many = [record(sharer.peer.key, f"blue {number}") for number in range(200)]
        await sharer.database.add_own(many)
        await super(SettledIndex, sharer.overlay).publish(many)
        await asyncio.sleep(60)
        assert index.served.count == 200
        assert sharer.overlay.settled

    in_index_world(main)


def test_flood_of_announcements():
    async def main(world):
        one, other = [await world.add_node(serves=True) for _ in range(2)]
        await world.link(one, other)
        await asyncio.sleep(1)
        link = one.peer.connection_to(other.peer.peer_id)
        for _ in range(100):
            one.overlay._tell(link)
        await asyncio.sleep(1)
        assert other.metric("index_news_dropped") > 50
        assert len(other.overlay.indexes()) == 1

    in_index_world(main)


def test_too_many_searches_at_once():
    async def main(world):
        silent = await world.add_node(serves=True)
        silent.peer.remove_handler(SeekInIndex)
        asker = await world.add_node(indexes=[silent])
        running = []
        for _ in range(100):
            search = asker.overlay.locate(LocateRequest(content_id=bytes(32)))
            running.append(asyncio.create_task(anext(search)))
        await asyncio.sleep(0)
        with pytest.raises(LimitError, match="searches at once"):
            await anext(asker.overlay.search(SearchRequest(text="blue")))
        await asyncio.gather(*running, return_exceptions=True)
        silent.peer.add_handler(SeekInIndex, lambda connection, message: None)

    in_index_world(main)
