import asyncio

import pytest
from dht_samples import RULES, rules
from overlay_world import MemoryWorld, content_of, record

from peerage.catalogue.record import Meta
from peerage.errors import LimitError, LocalError
from peerage.identity.address import Address
from peerage.limits import MAX_OWN_SEARCHES
from peerage.overlay.dht import DhtOverlay
from peerage.overlay.dht.messages import Verdict
from peerage.peer.table import PeerInfo

SHORT = {"life": 10_000.0, "renew": 5000.0, "renew_min": 1000.0}


def run(main, **changes):
    MemoryWorld.run(lambda shelf: DhtOverlay(shelf, reachable=lambda: True, rules=rules(**changes)), main)


async def settled(nodes):
    for node in nodes:
        await node.overlay.settle()


def test_a_value_is_put_got_and_changed():
    async def main(world):
        a, b, c = await world.chain(3)
        assert await c.overlay.get_value(a.peer.key.public_key) is None
        said = await a.overlay.put_value(b"one")
        assert said[Verdict.STORED] >= 2
        one = await c.overlay.get_value(a.peer.key.public_key)
        assert one.value == b"one"
        await asyncio.sleep(1)
        await a.overlay.put_value(b"two", cas=one.seq)
        assert (await c.overlay.get_value(a.peer.key.public_key)).value == b"two"
        said = await a.overlay.put_value(b"three", cas=one.seq)
        assert set(said) == {Verdict.CONFLICT}
        assert (await b.overlay.get_value(a.peer.key.public_key)).value == b"two"

    run(main)


def test_values_have_salts():
    async def main(world):
        a, b = await world.chain(2)
        await a.overlay.put_value(b"red", salt=b"colour")
        await a.overlay.put_value(b"loud", salt=b"sound")
        key = a.peer.key.public_key
        assert (await b.overlay.get_value(key, b"colour")).value == b"red"
        assert (await b.overlay.get_value(key, b"sound")).value == b"loud"
        assert await b.overlay.get_value(key) is None
        with pytest.raises(LocalError):
            await a.overlay.put_value(b"x" * 1001)

    run(main)


def test_what_is_published_is_renewed_and_outlives_its_keepers():
    async def main(world):
        a, b = await world.chain(2)
        shared = await a.share("Blue Train.flac")
        await a.overlay.put_value(b"value")
        await a.overlay.settle()
        c = await world.add()
        await world.link(c, b)
        await asyncio.sleep(1.5 * SHORT["life"])
        await b.peer.stop()
        (hit,) = await c.search("blue", wanted=1)
        assert hit.record == shared
        assert (await c.overlay.get_value(a.peer.key.public_key)).value == b"value"

    run(main, **SHORT)


def test_what_is_not_renewed_expires():
    async def main(world):
        a, b = await world.chain(2)
        await a.share("Blue Train.flac")
        await a.overlay.settle()
        assert b.overlay.stored >= 2
        await a.peer.stop()
        await asyncio.sleep(SHORT["life"] + 1000)
        assert b.overlay.stored == 0

    run(main, **SHORT)


def test_what_was_published_alone_is_stored_when_somebody_comes():
    async def main(world):
        a = await world.add()
        shared = await a.share("Blue Train.flac")
        await a.overlay.settle()
        b = await world.add()
        await world.link(b, a)
        await asyncio.sleep(5)
        (hit,) = await b.search("blue", wanted=1)
        assert hit.record == shared

    run(main)


def test_contents_that_are_fetched_are_provided():
    async def main(world):
        a, b = await world.chain(2)
        wanted = content_of("film")
        a.overlay._shelf._fetching = lambda: (wanted,)
        await asyncio.sleep(200)
        (holder,) = await b.locate(wanted, wanted=1)
        assert holder.peer_id == a.peer.peer_id
        a.overlay._shelf._fetching = tuple
        await asyncio.sleep(200)
        assert await b.locate(wanted, deadline=3) == []

    run(main)


def test_more_hits_than_one_answer_holds():
    async def main(world):
        nodes = await world.chain(4)
        for node in nodes[1:]:
            names = [f"blue {number} {'x' * 200}.flac" for number in range(50)]
            await node.share_records([record(node.peer.key, name, path=("y" * 120,) * 4) for name in names])
        await settled(nodes)
        hits = await nodes[0].search("blue", wanted=1000)
        assert len(hits) == 150

    run(main)


def test_a_record_that_is_too_long_is_posted_without_its_path():
    async def main(world):
        a, b = await world.chain(2)
        long = record(a.peer.key, "Blue Train.flac", path=("\u4e00" * 80,) * 2, content="train")
        meta = {"title": "\u4e00" * 250, "artist": "\u4e00" * 250}
        tagged = record(a.peer.key, "Blue Note.flac", meta=Meta(**meta))
        await a.share_records([long, tagged])
        await a.overlay.settle()
        hits = await b.search("blue", wanted=2)
        assert {hit.record.name for hit in hits} == {"Blue Train.flac", "Blue Note.flac"}
        assert [hit.record.meta for hit in hits if hit.record.name == "Blue Note.flac"] == [None]

    run(main)


def test_the_next_word_is_asked_when_the_first_finds_too_little():
    async def main(world):
        a, b = await world.chain(2)
        await a.share("Quetzalcoatl zymurgy xylophone Blue.flac")  # its three rarest words are posted, blue is none
        await a.overlay.settle()
        assert await b.search("blue", deadline=3) == []
        (hit,) = await b.search("quetzalcoatl blue", deadline=3)
        assert hit.record.name.startswith("Quetzalcoatl")

    run(main)


def test_a_query_of_prefixes_only_finds_nothing_at_once():
    async def main(world):
        a, b = await world.chain(2)
        await a.share("Blue Train.flac")
        await a.overlay.settle()
        assert await b.search("blu*", deadline=3) == []
        assert await b.search("type:audio", deadline=3) == []

    run(main)


def test_searches_at_once_are_bounded():
    async def main(world):
        a, b = await world.chain(2)
        results = await asyncio.gather(
            *(a.locate(content_of(str(number)), deadline=1) for number in range(MAX_OWN_SEARCHES + 5)),
            return_exceptions=True,
        )
        assert sum(isinstance(each, LimitError) for each in results) == 5

    run(main)


def test_joining_by_addresses_and_by_the_peer_table():
    async def main(world):
        a, b, c = await world.add(), await world.add(), await world.add()
        assert await a.overlay.bootstrap([b.address, Address("10.9.9.9", 1)]) == 1
        assert a.metric("dht_bootstrap_failed") == 1
        c.peer.table._put(PeerInfo(peer_id=a.peer.peer_id, addresses=(a.address,), links=1, last_seen=1.0))
        assert await c.overlay.bootstrap() == 2

    run(main)


def test_a_neighbour_without_a_table_is_asked_once():
    async def main(world):
        a = await world.add()
        plain = await world.add_peer()
        (address,) = await plain.listen(world.listen_address())
        await a.peer.connect(address)
        for number in range(4):
            assert await a.locate(content_of(str(number)), deadline=3) == []
        assert a.metric("dht_questions") <= 2

    run(main)


def test_who_dies_leaves_the_table():
    async def main(world):
        a, b, c = await world.chain(3)
        await settled([a, b, c])
        await asyncio.sleep(100)
        assert a.overlay.contacts == 2
        await b.peer.stop()
        await asyncio.sleep(600)
        assert a.overlay.contacts == c.overlay.contacts == 1
        await a.share("Blue Train.flac")
        await a.overlay.settle()
        assert len(await c.search("blue", wanted=1)) == 1

    run(main)


def test_links_are_held_to_the_nearest_only_and_given_back():
    async def main(world):
        nodes = await world.chain(8)
        await settled(nodes)
        await asyncio.sleep(1000)
        for node in nodes:
            assert sum(node.peer.is_held(other.peer.peer_id) for other in nodes) <= RULES.held
        await nodes[0].peer.unmount(nodes[0].overlay)
        assert not any(nodes[0].peer.is_held(other.peer.peer_id) for other in nodes)

    run(main)


def test_nothing_runs_when_it_is_taken_off():
    async def main(world):
        a, b = await world.chain(2)
        await a.share("Blue Train.flac")
        search = asyncio.create_task(a.search("nothing", deadline=3))
        await asyncio.sleep(0.06)
        await a.peer.unmount(a.overlay)
        assert await search == []
        await asyncio.sleep(300)
        assert a.metric("task_failed", "upkeep") == 0

    run(main)
