"""Who floods postings pays ever more for it; who has a large library gets it in; who lies about prices gains nothing."""

import asyncio
from itertools import count

import msgspec
from dht_samples import rules
from overlay_world import MemoryWorld, record

from peerage.catalogue.record import encode
from peerage.identity.address import Address
from peerage.overlay.dht import DhtOverlay
from peerage.overlay.dht.messages import Kept, Outcome, Store, Verdict
from peerage.overlay.dht.records import Posting, Whereabouts, key_of_word
from peerage.overlay.stamps import stamp_bits, stamp_subject

CHEAP = rules(stamp_bits=1)  # so the dearest stamp has 11 bits
WORDS = 3
KEPT = Outcome(Verdict.STORED, 0)


class Dear(DhtOverlay):
    """A node that takes no posting, whatever its stamp."""

    asks = 0

    def _on_store(self, connection, message):
        dear = Outcome(Verdict.UNSTAMPED, 0, self.asks)
        dropped = Outcome(Verdict.DROPPED, 0)
        return Kept(
            (KEPT,) * len(message.providers) + (dear,) * len(message.postings) + (dropped,) * len(message.drops)
        )


def run(main, changed=CHEAP):
    MemoryWorld.run(lambda shelf: DhtOverlay(shelf, reachable=lambda: True, rules=changed), main)


async def among_liars(world, asks, liars=2):
    """Return a node whose other keepers are liars that ask for so many bits."""
    honest = await world.add()
    make = world.make_overlay
    world.make_overlay = lambda shelf: Dear(shelf, reachable=lambda: True, rules=CHEAP)
    for _ in range(liars):
        liar = await world.add()
        liar.overlay.asks = asks
        await world.link(honest, liar)
    world.make_overlay = make
    return honest


def flood_of(key):
    """Yield functions that make a posting with a stamp of exactly so many bits; none is like another."""
    for number in count():
        shared = record(key, f"flood{number}.flac")
        subject = stamp_subject(shared.holder, shared.content)

        def made(bits, shared=shared, subject=subject, number=number):
            stamp = next(each for each in count() if stamp_bits(subject, each) == bits)
            return Posting(key_of_word(f"flood{number}"), encode(shared), stamp)

        yield made


def test_attack_a_key_that_floods_postings_pays_more_and_more():
    async def main(world):
        keeper, flooder = await world.chain(2)
        await keeper.overlay.settle()
        link = await flooder.peer.connect(keeper.address)
        where = Whereabouts.sign(flooder.peer.key, (Address("10.9.9.9", 1),), int(flooder.peer.clock.time() + 3600))
        bits, prices = 1, {}
        for made in flood_of(flooder.peer.key):
            for attempt in range(2):
                [outcome] = (await link.request(Store(where, postings=(made(bits),)))).outcomes
                if outcome.verdict is Verdict.STORED:
                    break
                assert attempt == 0, "the price that was told is the price"
                assert outcome.bits > bits
                bits = outcome.bits
            prices[bits] = prices.get(bits, 0) + 1
            if prices.get(CHEAP.dearest_bits) == 20:
                break
        assert prices == {1: 32 + 180, 3: 30, 5: 30, 7: 30, 9: 30, 11: 20}
        assert keeper.overlay.stored == sum(prices.values())
        assert keeper.metric("dht_unstamped") == 5
        cheap = [(await link.request(Store(where, postings=(next(flood_of(flooder.peer.key))(1),)))).outcomes[0]]
        assert [each.verdict for each in cheap] == [Verdict.RENEWED], "what is here already costs no more"
        await asyncio.sleep(2 * 3600)
        late = next(made for number, made in enumerate(flood_of(flooder.peer.key)) if number == 1000)
        where = Whereabouts.sign(flooder.peer.key, (Address("10.9.9.9", 1),), int(flooder.peer.clock.time() + 3600))
        [outcome] = (await link.request(Store(where, postings=(late(1),)))).outcomes
        assert outcome.verdict is Verdict.STORED, "after two hours all is forgiven"

    run(main)


def test_an_honest_publisher_of_a_hundred_contents_gets_all_of_them_in():
    async def main(world):
        nodes = await world.chain(3)
        publisher, keeper, _ = nodes
        names = [f"alpha{number} beta{number} gamma{number}.flac" for number in range(100)]
        await publisher.share_records([record(publisher.peer.key, name) for name in names])
        await publisher.overlay.settle()
        assert [node.overlay.stored for node in nodes] == [100 + 100 * WORDS] * 3
        assert keeper.metric("dht_unstamped") > 0
        assert publisher.metric("dht_stamps", "better") > 0
        assert publisher.metric("dht_stamps", "too-dear") == 0
        for number in (0, 50, 99):
            [hit] = await keeper.search(f"beta{number}", wanted=1)
            assert hit.record.name == names[number]
        before = publisher.metric("dht_stamps", "better")
        await asyncio.sleep(12 * 3600)
        assert publisher.metric("dht_stamps", "better") == before, "renewals need no better stamps"
        assert [node.overlay.stored for node in nodes] == [100 + 100 * WORDS] * 3

    run(main)


def test_who_shares_a_few_dozen_contents_needs_the_usual_stamps_only():
    async def main(world):
        nodes = await world.chain(3)
        names = [f"alpha{number} beta{number} gamma{number}.flac" for number in range(48)]
        await nodes[0].share_records([record(nodes[0].peer.key, name) for name in names])
        await nodes[0].overlay.settle()
        assert [node.overlay.stored for node in nodes] == [48 + 48 * WORDS] * 3
        assert all(node.metric("dht_unstamped") == 0 for node in nodes)
        assert nodes[0].metric("dht_stamps", "better") == 0

    run(main)


def test_attack_keepers_who_ask_for_ever_better_stamps_get_the_dearest_once():
    async def main(world):
        honest = await among_liars(world, CHEAP.dearest_bits)
        await honest.share("Blue Train.flac")
        await honest.overlay.settle()
        assert honest.metric("dht_stamps", "better") == 1
        await asyncio.sleep(12 * 3600)
        assert honest.metric("dht_stamps", "better") == 1
        assert honest.metric("dht_sweeps") < 60

    run(main)


def test_attack_keepers_who_ask_for_what_nobody_can_pay_are_not_obeyed():
    async def main(world):
        honest = await among_liars(world, 64)
        await honest.share("Blue Train.flac")
        await honest.overlay.settle()
        assert honest.metric("dht_stamps", "better") == 0
        assert honest.metric("dht_stamps", "too-dear") == 2

    run(main)


def test_attack_a_minority_of_liars_makes_nobody_work():
    async def main(world):
        honest = await among_liars(world, CHEAP.dearest_bits)
        for _ in range(2):
            other = await world.add()
            await world.link(other, honest)
        await honest.overlay.bootstrap()
        await honest.share("Blue Train.flac")
        await honest.overlay.settle()
        assert honest.metric("dht_stamps", "better") == 0
        assert sum(node.overlay.stored > 0 for node in world.nodes) == 3

    run(main)


def test_what_is_withdrawn_is_not_worked_for():
    async def main(world):
        honest = await among_liars(world, 40)
        shared = await honest.share("Blue Train.flac")
        await asyncio.sleep(1)
        settling = asyncio.create_task(honest.overlay.settle())
        await asyncio.sleep(0.1)
        assert not settling.done()
        await honest.unshare(shared)
        await asyncio.wait_for(settling, 30)
        assert honest.metric("dht_stamps", "better") == 0

    run(main, without_end())


def test_no_stamps_are_looked_for_after_it_was_taken_off():
    async def main(world):
        honest = await among_liars(world, 40)
        await honest.share("Blue Train.flac")
        settling = asyncio.create_task(honest.overlay.settle())
        await asyncio.sleep(1)
        assert not settling.done()
        await honest.peer.unmount(honest.overlay)
        await asyncio.wait_for(settling, 1)
        assert honest.metric("task_failed", "upkeep") == 0

    run(main, without_end())


def without_end():
    """Return rules by which a stamp may cost so much that it is never found."""
    return msgspec.structs.replace(CHEAP, publishing=msgspec.structs.replace(CHEAP.publishing, rise=50))
