import asyncio
import zlib
from contextlib import AsyncExitStack

import pytest
from overlay_suite import STRANGER, LyingShelf
from overlay_world import MemoryWorld, TcpWorld, content_of, record

from peerage.catalogue.record import Visibility, encode
from peerage.errors import LimitError, StoreError
from peerage.identity.address import Address
from peerage.limits import LINK_QUESTIONS_BURST, MAX_SEARCH_TTL, QUESTION_HITS_PER_LINK
from peerage.overlay.base import Budget, SearchRequest
from peerage.overlay.flood import FloodOverlay
from peerage.overlay.flood.messages import FindHolders, FindRecords, HolderFound, RecordsFound, TableUpdate
from peerage.overlay.flood.state import FloodRules
from peerage.overlay.shelf import CatalogueShelf


def in_memory(main, **rules):
    MemoryWorld.run(lambda shelf: FloodOverlay(shelf, FloodRules(**rules)), main)


def question(number=1, ttl=4, text="blue", wanted=10):
    return FindRecords(number.to_bytes(16, "big"), ttl, wanted, text)


ATTACKERS = {}  # peers by their links


async def attacker(world, target):
    """A peer that says what it likes; returns its link."""
    peer = await world.add_peer()
    connection = await peer.connect(target.address)
    ATTACKERS[connection] = peer
    await world.until(lambda: target.peer.connection_to(peer.peer_id) is not None)
    return connection


# --- where questions go -------------------------------------------------------------------------------------------


def test_a_question_in_a_ring_dies():
    async def main(world):
        nodes = await world.chain(6)
        await world.link(nodes[-1], nodes[0])
        await nodes[3].share("blue.flac")
        (hit,) = await nodes[0].search("blue", ttl=7, deadline=world.patience)
        assert hit.hops == 3
        asked = [node.metric("flood_questions") for node in nodes]
        assert asked[0] == 0
        assert sum(asked) == 7  # each of the others once, and twice where the two halves meet
        assert sum(node.metric("flood_dropped", "duplicate") for node in nodes) == 2

    in_memory(main, dynamic=None, table_depth=0)


def test_a_question_goes_no_farther_than_its_ttl():
    async def main(world):
        nodes = await world.chain(5)
        for node in nodes[1:]:
            await node.share("blue.flac")
        hits = await nodes[0].search("blue", ttl=2, deadline=world.patience)
        assert [hit.hops for hit in hits] == [1, 2]
        assert nodes[3].metric("flood_questions") == 0

    in_memory(main, dynamic=None, max_ttl=2, table_depth=0)


def test_a_ttl_above_all_bounds():
    async def main(world):
        nodes = await world.chain(MAX_SEARCH_TTL + 2)
        link = await attacker(world, nodes[0])
        link.send(question(1, ttl=MAX_SEARCH_TTL))
        link.send(question(2, ttl=MAX_SEARCH_TTL + 1))
        link.send(question(3, ttl=255))
        await asyncio.sleep(world.patience)
        assert [node.metric("flood_questions") for node in nodes] == [3] + [1] * (MAX_SEARCH_TTL - 1) + [0, 0]
        assert nodes[0].metric("flood_dropped", "ttl") == 2

    in_memory(main, table_depth=0)


def test_a_bad_query_is_counted_and_goes_no_further():
    async def main(world):
        nodes = await world.chain(2)
        link = await attacker(world, nodes[0])
        link.send(question(text='"unclosed'))
        await asyncio.sleep(world.patience)
        assert link.is_open
        assert nodes[0].metric("flood_dropped", "query") == 1
        assert nodes[1].metric("flood_questions") == 0

    in_memory(main)


def test_query_flood():
    async def main(world):
        nodes = await world.chain(2)
        link = await attacker(world, nodes[0])
        for number in range(500):
            link.send(question(number))
        await asyncio.sleep(world.patience)
        dropped = nodes[0].metric("flood_dropped", "rate")
        assert 500 - dropped == LINK_QUESTIONS_BURST
        assert nodes[1].metric("flood_questions") < LINK_QUESTIONS_BURST
        assert nodes[1].metric("flood_dropped", "rate") == 0

    in_memory(main)


def test_the_queue_of_answers_is_bounded():
    class SlowShelf(LyingShelf):
        async def find(self, query, limit, audience):
            await asyncio.sleep(1000)

    async def main(world):
        node = await world.add(lambda _: SlowShelf())
        for start in range(0, 1000, 50):
            link = await attacker(world, node)
            for number in range(start, start + 50):
                link.send(question(number))
        await asyncio.sleep(1)
        assert node.metric("flood_questions") == 1000
        assert node.metric("flood_dropped", "busy") == 1000 - 256 - 2
        await node.peer.unmount(node.overlay)

    in_memory(main)


def test_an_empty_or_endless_question_ends_the_link():
    async def main(world):
        node = await world.add()
        for bad in (question(text=""), question(text="x" * 300), FindHolders(b"1" * 16, 4, 10, b"short")):
            link = await attacker(world, node)
            link.send(bad)
            await link.wait_closed()
        assert node.metric("protocol_violations") == 3

    in_memory(main)


# --- which answers pass -------------------------------------------------------------------------------------------


def test_answers_nobody_asked_for_are_dropped():
    async def main(world):
        node = await world.add()
        link = await attacker(world, node)
        link.send(RecordsFound(b"1" * 16, 0, (), (encode(record(STRANGER, "blue.flac")),)))
        link.send(HolderFound(b"1" * 16, 0, (), STRANGER.peer_id))
        await asyncio.sleep(1)
        assert node.metric("flood_dropped", "answer-unknown") == 2

    in_memory(main)


def test_hit_spam_takes_only_the_spammers_share():
    async def main(world):
        honest, asker = await world.chain(2)
        await honest.share("blue.flac")
        spammer = await world.add_peer()
        key = spammer.key
        asked = []
        spammer.add_handler(FindRecords, lambda _, message: asked.append(message.question_id))
        link = await spammer.connect(asker.address)
        await world.until(lambda: asker.peer.connection_to(spammer.peer_id) is not None)

        async def spam():
            await world.until(lambda: bool(asked))
            for number in range(600):
                link.send(RecordsFound(asked[0], 0, (), (encode(record(key, f"blue {number}.exe")),)))

        _, hits = await asyncio.gather(spam(), asker.search("blue", wanted=1000, deadline=world.patience))
        holders = [hit.holder.peer_id for hit in hits]
        assert holders.count(spammer.peer_id) == QUESTION_HITS_PER_LINK
        assert holders.count(honest.peer.peer_id) == 1
        assert asker.metric("flood_dropped", "answer-enough") == 100

    in_memory(main)


def test_a_relay_drops_what_is_no_record():
    async def main(world):
        asker, relay = await world.chain(2)
        liar = await world.add_peer()
        private = record(liar.key, "blue.flac", visibility=Visibility.FRIENDS)
        replies = (b"garbage", encode(private), encode(record(STRANGER, "blue stranger.flac")))
        good = record(liar.key, "blue good.flac")

        def answer(connection, message):
            connection.send(RecordsFound(message.question_id, 0, (), (*replies, encode(good))))

        liar.add_handler(FindRecords, answer)
        await liar.connect(relay.address)
        hits = await asker.search("blue", deadline=world.patience)
        assert [hit.record for hit in hits] == [good]
        refused = {reason: relay.metric("flood_refused", reason) for reason in ("malformed", "private", "foreign")}
        assert refused == {"malformed": 1, "private": 1, "foreign": 1}

    in_memory(main, dynamic=None)


def test_a_neighbour_cannot_say_that_somebody_else_has_it():
    async def main(world):
        asker = await world.add()
        liar = await world.add_peer()
        liar.add_handler(
            FindHolders,
            lambda connection, message: connection.send(
                HolderFound(message.question_id, 0, (Address("192.0.2.1", 80),), STRANGER.peer_id)
            ),
        )
        await liar.connect(asker.address)
        assert await asker.locate(content_of("x"), deadline=world.patience) == []
        assert asker.metric("flood_refused", "foreign") == 1

    in_memory(main, dynamic=None)


def test_hits_of_a_banned_peer_are_left_out():
    async def main(world):
        asker, relay, banned = await world.chain(3)
        shared = await banned.share("blue.flac")
        asker.peer.table.update(banned.peer.peer_id, banned=True)
        assert await asker.search("blue", deadline=world.patience) == []
        assert await asker.locate(shared.content, deadline=world.patience) == []

    in_memory(main)


def test_a_lost_link_on_the_way_back_loses_only_the_answer():
    async def main(world):
        asker, relay, holder = await world.chain(3)
        await holder.share("blue.flac")
        search = asyncio.create_task(asker.search("blue", deadline=world.patience))
        await world.until(lambda: holder.metric("flood_questions") == 1)
        asker.peer.connection_to(relay.peer.peer_id).close()
        assert await search == []
        assert relay.metric("flood_dropped", "lost") == 1

    in_memory(main)


# --- friends ------------------------------------------------------------------------------------------------------


def test_friends_records_are_for_friends_next_door():
    async def main(world):
        holder, friend, stranger = await world.chain(3)
        holder.befriend(friend)
        await holder.share("blue public.flac")
        await holder.share("blue friends.flac", visibility=Visibility.FRIENDS)
        await holder.share("blue link.flac", visibility=Visibility.LINK)
        seen = {hit.record.name for hit in await friend.search("blue", deadline=world.patience)}
        assert seen == {"blue public.flac", "blue friends.flac"}
        seen = {hit.record.name for hit in await stranger.search("blue", deadline=world.patience)}
        assert seen == {"blue public.flac"}
        assert friend.metric("flood_refused", "private") == 1

    in_memory(main)


def test_friends_content_is_located_by_friends_next_door():
    async def main(world):
        holder, friend, stranger = await world.chain(3)
        holder.befriend(friend)
        shared = await holder.share("blue.flac", visibility=Visibility.FRIENDS)
        assert [each.peer_id for each in await friend.locate(shared.content, wanted=1)] == [holder.peer.peer_id]
        assert await stranger.locate(shared.content, deadline=world.patience) == []
        assert friend.metric("flood_refused", "private") == 1

    in_memory(main)


# --- this node's own side -----------------------------------------------------------------------------------------


def test_what_is_being_downloaded_is_located():
    async def main(world):
        partial = content_of("partial")
        asker = await world.add()
        holder = await world.add(
            lambda node: CatalogueShelf(node.database, node.peer.peer_id, fetching=lambda: (partial,))
        )
        await world.link(asker, holder)
        assert [each.peer_id for each in await asker.locate(partial, wanted=1)] == [holder.peer.peer_id]

    in_memory(main)


def test_a_failing_catalogue_is_counted_and_harms_nobody():
    class BrokenShelf(LyingShelf):
        async def find(self, query, limit, audience):
            raise StoreError("the disk is gone")

        async def visibility(self, content_id):
            raise StoreError("the disk is gone")

    async def main(world):
        asker = await world.add()
        broken = await world.add(lambda _: BrokenShelf())
        await world.link(asker, broken)
        shared = record(broken.peer.key, "blue.flac")
        await broken.overlay.publish([shared])
        assert await asker.search("blue", deadline=world.patience) == []
        assert await asker.locate(shared.content, deadline=world.patience) == []
        assert broken.metric("flood_dropped", "store") == 2

    in_memory(main)


def test_searches_beyond_the_burst_wait_for_their_turn():
    async def main(world):
        asker, holder = await world.chain(2)
        await holder.share("blue.flac")

        async def first():
            async with asker.overlay.search(SearchRequest(text="blue", wanted=1)) as search:
                return [hit async for hit in search], search.cost.first_found

        found = await asyncio.gather(*(first() for _ in range(6)))
        assert [len(hits) for hits, _ in found] == [1] * 6
        assert [round(waited) for _, waited in found] == [0, 0, 1, 2, 3, 4]

    in_memory(main, own_rate=1.0, own_burst=2.0)


def test_more_searches_than_bounded_are_refused():
    async def main(world):
        asker, _ = await world.chain(2)
        async with AsyncExitStack() as stack:
            open_searches = [
                await stack.enter_async_context(asker.overlay.search(SearchRequest(text="blue"))) for _ in range(3)
            ]
            waiting = [asyncio.create_task(anext(search, None)) for search in open_searches[:2]]
            await asyncio.sleep(0.1)
            with pytest.raises(LimitError, match="under way"):
                await anext(open_searches[2])
            assert await asyncio.gather(*waiting) == [None, None]

    in_memory(main, own_searches=2)


def test_unmounting_ends_the_searches():
    async def main(world):
        asker, _ = await world.chain(2)
        loop = asyncio.get_running_loop()
        started = loop.time()
        search = asyncio.create_task(asker.search("blue", deadline=20))
        await asyncio.sleep(1)
        await asker.peer.unmount(asker.overlay)
        assert await search == []
        assert loop.time() - started < 2

    in_memory(main)


def test_the_cost_counts_every_message_of_the_asker():
    async def main(world):
        asker = await world.add()
        for _ in range(4):
            node = await world.add()
            await world.link(asker, node)
            await node.share("blue.flac")
        request = SearchRequest(text="blue", deadline=world.patience, budget=Budget(messages=100))
        async with asker.overlay.search(request) as search:
            assert len([hit async for hit in search]) == 4
        cost = search.cost
        assert (cost.peers_asked, cost.messages_sent, cost.messages_received) == (4, 4, 4)
        assert cost.bytes_sent == 4 * (12 + 1 + 18 + 1 + 1 + 5)  # header, array, id, ttl, wanted, text
        assert cost.first_found == pytest.approx(0.1, abs=0.01)  # there and back
        assert cost.seconds == pytest.approx(world.patience, abs=0.01)

    in_memory(main, dynamic=None, table_depth=0)


def test_a_wildcard_listener_is_found_where_its_neighbour_sees_it():
    class WildcardWorld(TcpWorld):
        def listen_address(self):
            return Address("0.0.0.0", 0)

        async def link(self, one, other):
            await one.peer.connect(Address("127.0.0.1", other.address.port), other.peer.peer_id)
            await self.until(lambda: other.peer.connection_to(one.peer.peer_id) is not None)

    async def main(world):
        a, b, c = await world.chain(3)
        await a.share("blue.flac")
        (hit,) = await c.search("blue", wanted=1)
        assert hit.holder.addresses == (Address("127.0.0.1", a.address.port),)

    WildcardWorld.run(FloodOverlay, main)


# --- tables -------------------------------------------------------------------------------------------------------

TABLES = 5.0  # seconds until neighbours' neighbours have heard of what is shared


def test_on_the_last_hops_only_those_are_asked_who_may_have_it():
    async def main(world):
        asker, relay, holder = await world.chain(3)
        others = [await world.add() for _ in range(4)]
        for each in others:
            await world.link(relay, each)
            await each.share("red.flac")
        await holder.share("blue.flac")
        await asyncio.sleep(TABLES)
        (hit,) = await asker.search("blue", wanted=1)
        assert hit.holder.peer_id == holder.peer.peer_id
        assert [each.metric("flood_questions") for each in (relay, holder, *others)] == [1, 1, 0, 0, 0, 0]
        assert relay.metric("flood_filtered") == 4

    in_memory(main)


def test_contents_are_located_by_tables_too():
    async def main(world):
        asker, relay, holder = await world.chain(3)
        other = await world.add()
        await world.link(relay, other)
        shared = await holder.share("blue.flac", visibility=Visibility.LINK)
        await asyncio.sleep(TABLES)
        assert [each.peer_id for each in await asker.locate(shared.content, wanted=1)] == [holder.peer.peer_id]
        assert await asker.search("blue", ttl=2, deadline=world.patience) == []
        assert other.metric("flood_questions") == 0

    in_memory(main)


def test_what_is_shared_later_is_found_soon_and_what_is_gone_is_forgotten_in_time():
    async def main(world):
        asker, holder = await world.chain(2)
        await asyncio.sleep(TABLES)
        gone = [await holder.share(f"red {number}.flac") for number in range(5)]
        await asyncio.sleep(TABLES)
        assert len(await asker.search("red", wanted=5)) == 5
        await holder.share("blue.flac")
        for each in gone:
            await holder.unshare(each)
        await asyncio.sleep(TABLES)
        before = holder.metric("flood_questions")
        assert await asker.search("red", ttl=1, deadline=world.patience) == []
        assert holder.metric("flood_questions") == before  # its table says so
        assert len(await asker.search("blue", wanted=1)) == 1

    in_memory(main)


def test_records_for_friends_are_in_no_table_and_friends_find_them():
    async def main(world):
        holder, friend, stranger = await world.chain(3)
        holder.befriend(friend)
        shared = await holder.share("blue friends.flac", visibility=Visibility.FRIENDS)
        await asyncio.sleep(TABLES)
        assert [hit.record for hit in await friend.search("blue", wanted=1)] == [shared]
        assert [each.peer_id for each in await friend.locate(shared.content, wanted=1)] == [holder.peer.peer_id]
        asked = holder.metric("flood_questions")
        assert await stranger.search("blue", ttl=2, deadline=world.patience) == []
        assert await stranger.locate(shared.content, ttl=2, deadline=world.patience) == []
        assert holder.metric("flood_questions") == asked

    in_memory(main)


def test_a_fast_copy_with_little_left_to_go_hides_nothing():
    async def main(world):
        nodes = await world.chain(4)
        await nodes[3].share("blue.flac")
        link = await attacker(world, nodes[1])
        heard = []
        ATTACKERS[link].add_handler(RecordsFound, lambda _, message: heard.append(message.hops))
        link.send(question(ttl=1))
        await asyncio.sleep(1)
        assert heard == []
        link.send(question(ttl=4))
        await asyncio.sleep(1)
        assert heard == [2]
        assert nodes[1].metric("flood_dropped", "duplicate") == 0

    in_memory(main)


def test_questions_from_outside_the_mesh():
    async def main(world):
        node = await world.add()
        link = await attacker(world, node)
        link.send(question())
        await asyncio.sleep(1)
        assert node.metric("flood_dropped", "no-link") == 1

    MemoryWorld.run(lambda shelf: FloodOverlay(shelf, links=tuple), main)


def test_full_table():
    async def main(world):
        node = await world.add()
        link = await attacker(world, node)
        link.send(TableUpdate(0, 1, 10, False, False, 5, False, zlib.compress(b"\xff" * 128)))
        await asyncio.sleep(1)
        assert node.metric("flood_dropped", "bad-table") == 1
        asked = []
        ATTACKERS[link].add_handler(FindRecords, lambda _, message: asked.append(message))
        await node.search("blue", ttl=1, deadline=world.patience)
        assert asked == []
        assert link.is_open

    in_memory(main)


def test_query_flood_leaves_room_for_others():
    async def main(world):
        relay, far = await world.chain(2)
        flooder, honest = await attacker(world, relay), await attacker(world, relay)
        for second in range(20):
            for number in range(12):
                flooder.send(question(1000 + 100 * second + number, text=f"word{number}"))
            honest.send(question(second, text="blue"))
            await asyncio.sleep(1)
        assert relay.metric("flood_dropped", "unfair") > 0
        assert relay.metric("flood_dropped", "relay-rate") == 0

    in_memory(main, table_depth=0)


def test_answering_everything():
    async def main(world):
        asker, honest = await world.chain(2)
        liar = await world.add_peer()
        lies = [0]

        def answer(connection, message):
            lies[0] += 1
            made = record(liar.key, f"{message.text} {lies[0]}.exe")
            connection.send(RecordsFound(message.question_id, 0, (), (encode(made),)))

        liar.add_handler(FindRecords, answer)
        await liar.connect(asker.address)
        liar.hold(asker.peer.peer_id, "test")
        await honest.share("song0 of the honest.flac")
        words = [f"song{number}" for number in range(8)]
        for number in range(60):
            hits = await asker.search(words[number % 8], deadline=1, wanted=50)
            assert {hit.holder.peer_id for hit in hits} >= {liar.peer_id}
            if asker.metric("flood_decoys"):
                break
        while asker.metric("flood_refused", "forged") < 2:
            await asyncio.sleep(30)
            await asker.search("song0", deadline=1)
        hits = await asker.search("song0", deadline=2)
        assert {hit.holder.peer_id for hit in hits} == {honest.peer.peer_id}
        assert asker.metric("flood_refused", "liar") > 0

    in_memory(main)
