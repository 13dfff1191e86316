"""One test for each way to harm the table, named after it; the eclipse of a key is in tests/sim/test_dht_world.py."""

import asyncio

import msgspec
import pytest
from dht_samples import RULES, rules
from overlay_suite import STRANGER
from overlay_world import MemoryWorld, content_of, record

from peerage.catalogue.record import encode
from peerage.errors import LimitError, RefusedError
from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.overlay.dht import DhtOverlay
from peerage.overlay.dht.contacts import Contact, number_of
from peerage.overlay.dht.messages import (
    Found,
    FoundProvider,
    FoundRecords,
    Look,
    Put,
    Seen,
    Store,
    Verdict,
)
from peerage.overlay.dht.records import Posting, Provider, Value, Whereabouts, key_of_word
from peerage.overlay.dht.routing import RoutingTable
from peerage.overlay.locators import locator_of
from peerage.overlay.stamps import find_stamp, stamp_subject

NOWHERE = Address("10.9.9.9", 7411)


class Liar(DhtOverlay):
    """A node that answers with whatever it is given."""

    contacts = ()
    found = None

    def _on_look(self, connection, message):
        return Seen(True, tuple(each for each in self.contacts if each.peer_id != connection.peer_id), self.found)


def run(main, **changes):
    MemoryWorld.run(lambda shelf: DhtOverlay(shelf, reachable=lambda: True, rules=rules(**changes)), main)


async def add_liar(world):
    honest, world.make_overlay = (
        world.make_overlay,
        lambda shelf: Liar(shelf, reachable=lambda: True, rules=RULES),
    )
    liar = await world.add()
    world.make_overlay = honest
    return liar


def dials(node):
    return node.peer.metrics.value("links", "out") + node.peer.metrics.value("dht_probes", "failed")


async def liar_and_asker(world):
    asker, liar = await world.add(), await add_liar(world)
    await world.link(asker, liar)
    return asker, liar


def expiry(node):
    return int(node.peer.clock.time() + 3600)


def test_forged_provider():
    async def main(world):
        asker, liar = await liar_and_asker(world)
        locator = locator_of(content_of("x"))
        good = Provider.sign(STRANGER, locator, (NOWHERE,), expiry(asker))
        old = Provider.sign(PeerKey.from_seed(b"2" * 32), locator, (NOWHERE,), expiry(asker) - 90_000)
        lies = [
            msgspec.structs.replace(good, addresses=()),
            msgspec.structs.replace(good, expires=good.expires + 1),
            Provider.sign(STRANGER, locator_of(content_of("y")), (NOWHERE,), expiry(asker)),
            Provider.sign(asker.peer.key, locator, (NOWHERE,), expiry(asker)),
            old,
        ]
        liar.overlay.found = Found(tuple(FoundProvider(each, "") for each in (*lies, good)))
        holders = await asker.locate(content_of("x"), deadline=3)
        assert [each.peer_id for each in holders] == [STRANGER.peer_id]
        assert asker.metric("dht_refused", "forged") == 2
        assert asker.metric("dht_refused", "off-topic") == 1
        assert asker.metric("dht_refused", "stale") == 1
        assert asker.metric("dht_refused", "unwanted") == 1

    run(main)


def test_forged_posting():
    async def main(world):
        asker, liar = await liar_and_asker(world)
        shared = record(STRANGER, "Blue Train.flac")
        where = Whereabouts.sign(STRANGER, (NOWHERE,), expiry(asker))
        renamed = msgspec.structs.replace(shared, name="Blue Note.exe")
        other = record(PeerKey.from_seed(b"2" * 32), "Blue Giant.flac")
        off_topic = record(STRANGER, "Green.flac")
        groups = [
            FoundRecords(msgspec.structs.replace(where, addresses=()), "", (encode(shared),)),
            FoundRecords(where, "", tuple(encode(each) for each in (renamed, other, off_topic, shared))),
        ]
        liar.overlay.found = Found(records=tuple(groups))
        hits = await asker.search("blue", deadline=3)
        assert [hit.record for hit in hits] == [shared]
        assert asker.metric("dht_refused", "forged") == 2
        assert asker.metric("dht_refused", "foreign") == 1
        assert asker.metric("dht_refused", "off-topic") == 1

    run(main)


def test_forged_value():
    async def main(world):
        asker, liar = await liar_and_asker(world)
        true = Value.sign(STRANGER, b"true", 1)
        forged = msgspec.structs.replace(true, seq=9, value=b"false")
        liar.overlay.found = Found(value=forged)
        assert await asker.overlay.get_value(STRANGER.public_key) is None
        liar.overlay.found = Found(value=Value.sign(PeerKey.from_seed(b"2" * 32), b"false", 9))
        assert await asker.overlay.get_value(STRANGER.public_key) is None
        liar.overlay.found = Found(value=true)
        assert await asker.overlay.get_value(STRANGER.public_key) == true
        keeper = await world.add()
        link = await asker.peer.connect(keeper.address)
        kept = await link.request(Store(values=(Put(forged),)))
        assert [each.verdict for each in kept.outcomes] == [Verdict.FORGED]

    run(main)


def test_replay_of_an_old_value():
    async def main(world):
        owner, keeper, attacker = await world.chain(3)
        await owner.overlay.put_value(b"old", seq=1)
        old = await attacker.overlay.get_value(owner.peer.key.public_key)
        said = await owner.overlay.put_value(b"new", seq=2)
        assert said[Verdict.RENEWED] >= 2
        for node in (owner, keeper):
            link = await attacker.peer.connect(node.address)
            kept = await link.request(Store(values=(Put(old),)))
            assert [each.verdict for each in kept.outcomes] == [Verdict.STALE]
        assert (await attacker.overlay.get_value(owner.peer.key.public_key)).value == b"new"

    run(main)


def test_storing_in_anothers_name():
    async def main(world):
        victim, keeper, attacker = await world.chain(3)
        shared = await victim.share("Blue Train.flac")
        await victim.overlay.settle()
        (hit,) = await attacker.search("blue", wanted=1)
        await victim.unshare(shared)
        await victim.overlay.settle()
        where = Whereabouts.sign(victim.peer.key, (NOWHERE,), expiry(victim))  # as it was told before
        stamp = find_stamp(stamp_subject(shared.holder, shared.content), RULES.stamp_bits, range(10_000))
        again = Provider.sign(victim.peer.key, locator_of(shared.content), (NOWHERE,), expiry(victim))
        link = await attacker.peer.connect(keeper.address)
        message = Store(where, (again,), (Posting(key_of_word("blue"), encode(hit.record), stamp),))
        kept = await link.request(message)
        assert [each.verdict for each in kept.outcomes] == [Verdict.FOREIGN, Verdict.STALE]
        assert await attacker.search("blue", deadline=3) == []

    run(main)


def test_flooding_the_store():
    async def main(world):
        keeper, flooder = await world.chain(2)
        await keeper.overlay.settle()
        link = await flooder.peer.connect(keeper.address)
        many = [Provider.sign(flooder.peer.key, content_of(str(each)), (), expiry(keeper)) for each in range(1000)]
        messages = [Store(providers=tuple(many[start : start + 20])) for start in range(0, 1000, 20)]
        kept = [await link.request(each) for each in messages[:10]]
        assert sum(each.verdict is Verdict.STORED for reply in kept for each in reply.outcomes) == 70
        with pytest.raises(LimitError):
            await link.request_all(messages[10:])
        assert keeper.overlay.stored == 70
        assert keeper.metric("dht_limited", "store") > 10

    run(main, stored_per_publisher=70, store_burst=400.0)


def test_flooding_with_questions():
    async def main(world):
        node, flooder = await world.chain(2)
        link = await flooder.peer.connect(node.address)
        with pytest.raises(LimitError):
            await link.request_all([Look(bytes(32), False)] * 300)
        assert link.is_open
        assert 50 <= node.metric("dht_limited", "look") <= 100

    run(main)


def test_a_bad_query_is_refused():
    async def main(world):
        node, other = await world.chain(2)
        link = await other.peer.connect(node.address)
        bad = msgspec.structs.replace(Look(bytes(32), False), fetch=(1, bytes(32), 5, 0, '"unclosed'))
        with pytest.raises(RefusedError):
            await link.request(bad)

    run(main)


def test_poisoned_routing_table():
    async def main(world):
        victim, liar = await liar_and_asker(world)
        invented = [
            Contact(number.to_bytes(32, "big"), (Address(f"10.8.{number % 250}.1", 7411),))
            for number in (number_of(victim.peer.peer_id) ^ (1 << (255 - each)) for each in range(20))
        ]
        liar.overlay.contacts = tuple(invented)
        for _ in range(10):
            await victim.overlay.bootstrap()
            await victim.overlay._round()
            await asyncio.sleep(30)
        known = {each.peer_id for each in victim.overlay._node.table.contacts()}
        assert known == {liar.peer.peer_id}
        link = await liar.peer.connect(victim.address)
        seen = await link.request(Look(bytes(32), False))
        assert seen.contacts == ()

    run(main)


def test_reflection():
    async def main(world):
        asker, liar = await liar_and_asker(world)
        target = await world.add_peer()
        (host,) = await target.listen(world.listen_address())
        fakes = [Contact(PeerKey.from_seed(bytes([each]) * 32).peer_id, (host,)) for each in range(100, 120)]
        liar.overlay.contacts = tuple(fakes)
        before = dials(asker)
        for number in range(5):
            await asker.locate(content_of(str(number)), deadline=3)
        assert (
            target.metrics.value("links", "in") <= 5 * 6
        )  # three of what a liar named, and what is on its way by then
        assert dials(asker) - before <= 5 * 6
        assert asker.overlay.contacts == 1

    run(main)


def test_eclipse_of_a_node():
    """Many ids from few subnets, however often they call, do not fill a table; who was there first stays."""
    table = RoutingTable(STRANGER.peer_id, RULES)
    rng_ids = [PeerKey.from_seed(number.to_bytes(32, "big")).peer_id for number in range(1, 400)]
    honest = [Contact(each, (Address(f"5.{n}.1.1", 7411),)) for n, each in enumerate(rng_ids[:60])]
    for each in honest:
        table.add(each, 0.0)
    before = set(table.contacts())
    for _ in range(3):
        for number, each in enumerate(rng_ids[60:]):
            table.add(Contact(each, (Address(f"6.6.{number % 3}.{number % 250}", 7411),)), 1.0)
    intruders = set(table.contacts()) - before
    assert before <= set(table.contacts())
    assert len(intruders) <= 3 * RULES.subnet_table


def test_a_client_in_the_table():
    """Who cannot be reached is answered, but neither told to others nor given anything to keep."""

    async def main(world):
        server = await world.add()
        honest = world.make_overlay
        world.make_overlay = lambda shelf: DhtOverlay(shelf, reachable=lambda: None, rules=RULES)
        client = await world.add()
        world.make_overlay = honest
        await world.link(client, server)
        await world.link(server, client)
        await client.overlay.settle()
        await server.overlay.bootstrap()
        assert client.overlay.contacts == 1
        assert server.overlay.contacts == 0
        shared = await client.share("Blue Train.flac")
        await client.overlay.settle()
        assert server.overlay.stored >= 2
        other = await world.add()
        await world.link(other, server)
        (hit,) = await other.search("blue", wanted=1)
        assert hit.record == shared
        link = await server.peer.connect(client.address)
        with pytest.raises(RefusedError):
            await link.request(Store())

    run(main)


def test_a_liar_about_being_reachable():
    """Who says that it serves, but cannot be dialled, does not come into a table."""

    async def main(world):
        victim = await world.add()
        liar = await world.add_peer()
        link = await liar.connect(victim.address)
        seen = await link.request(Look(bytes(32), True))
        assert seen.serving
        await asyncio.sleep(60)
        await victim.overlay._round()
        await asyncio.sleep(60)
        assert victim.overlay.contacts == 0

    run(main)
