"""Looking through another peer's shares, honest and other ones, in virtual time."""

from __future__ import annotations

import asyncio

import pytest
from overlay_world import MemoryWorld, record

from peerage.catalogue.record import Visibility, encode
from peerage.catalogue.record_finder import Page
from peerage.errors import LimitError, ProtocolError, RefusedError
from peerage.identity.keys import PeerKey
from peerage.limits import BROWSE_BURST, BROWSE_PAGE, BROWSE_RECORDS
from peerage.overlay.browse import Browsing
from peerage.overlay.browse.messages import Browse, Shelved
from peerage.overlay.flood import FloodOverlay

STRANGER = PeerKey.from_seed(b"t" * 32)


class World(MemoryWorld):
    async def pair(self, admits=lambda _friend: True):
        """Two linked nodes that can browse; returns both, the looker's service and its link."""
        one, other = await self.chain(2)
        for node in (one, other):

            async def pages(after, audience, count, database=node.database):
                return await database.read(lambda tables: tables.finder.own_after(after, audience, count))

            node.browsing = Browsing(pages, admits)
            await node.peer.mount(node.browsing)
        return one, other, one.peer.connection_to(other.peer.peer_id)


def run(main):
    World.run(FloodOverlay, main)


async def names(listing):
    return [found.name async for found in listing]


def test_public_shares_are_shown_and_others_are_not():
    async def main(world):
        one, other, link = await world.pair()
        await other.share("public.txt")
        await other.share("friends.txt", visibility=Visibility.FRIENDS)
        await other.share("link.txt", visibility=Visibility.LINK)
        listing = one.browsing.look(link)
        assert await names(listing) == ["public.txt"]
        assert (listing.more, listing.refused) == (False, 0)
        other.befriend(one)
        assert await names(one.browsing.look(link)) == ["public.txt", "friends.txt"]

    run(main)


def test_what_the_looker_shares_or_has_learned_is_not_mixed_in():
    async def main(world):
        one, other, link = await world.pair()
        await one.share("mine.txt")
        await other.database.add([record(STRANGER, "learned.txt")])
        assert await names(one.browsing.look(link)) == []

    run(main)


def test_only_what_is_below_a_folder():
    async def main(world):
        one, other, link = await world.pair()
        await other.share("a.txt", path=("music",))
        await other.share("b.txt", path=("music", "old"))
        await other.share("c.txt", path=("musicals",))
        await other.share("d.txt")
        assert await names(one.browsing.look(link, ["music"])) == ["a.txt", "b.txt"]
        assert await names(one.browsing.look(link, ["music", "old"])) == ["b.txt"]
        assert await names(one.browsing.look(link, ["nothing"])) == []

    run(main)


def test_many_pages_come_whole():
    async def main(world):
        one, other, link = await world.pair()
        count = 2 * BROWSE_PAGE + 7
        await other.share_records([record(other.peer.key, f"{number}.txt") for number in range(count)])
        assert await names(one.browsing.look(link)) == [f"{number}.txt" for number in range(count)]

    run(main)


def test_a_folder_far_behind_is_found_over_empty_pages():
    async def main(world):
        one, other, link = await world.pair()
        await other.share_records([record(other.peer.key, f"{number}.txt") for number in range(2 * BROWSE_PAGE)])
        await other.share("last.txt", path=("deep",))
        assert await names(one.browsing.look(link, ["deep"])) == ["last.txt"]

    run(main)


def test_who_does_not_want_to_be_looked_at_says_so():
    async def main(world):
        one, other, link = await world.pair(admits=lambda friend: friend)
        await other.share("public.txt")
        with pytest.raises(RefusedError, match="does not show"):
            await names(one.browsing.look(link))
        other.befriend(one)
        assert await names(one.browsing.look(link)) == ["public.txt"]

    run(main)


def test_attack_a_flood_of_pages_is_refused():
    async def main(world):
        one, other, link = await world.pair()
        await other.share("public.txt")

        async def flood():
            for _ in range(3 * int(BROWSE_BURST)):
                await names(one.browsing.look(link))

        with pytest.raises(LimitError):
            await flood()
        assert other.metric("browse_refused") == 1

    run(main)


def test_attack_several_pages_at_once_are_refused():
    async def slowly(after, audience, count):
        await asyncio.sleep(1.0)
        return Page([], None)

    async def ask(link):
        return [part async for part in link.request_parts(Browse())]

    async def main(world):
        one, other = await world.chain(2)
        await other.peer.mount(Browsing(slowly))
        link = one.peer.connection_to(other.peer.peer_id)
        first, second = await asyncio.gather(ask(link), ask(link), return_exceptions=True)
        assert first == [Shelved(())]
        assert isinstance(second, LimitError)
        assert await ask(link) == [Shelved(())]

    run(main)


# --- peers that lie --------------------------------------------------------------------------------------------------


async def look_at_liar(world, *parts, path=()):
    """Look through the shares of a peer that answers each page with the next of these parts."""
    one, liar = await world.chain(2)
    one.browsing = Browsing(None)
    await one.peer.mount(one.browsing)
    answers = iter(parts)

    async def answer(_connection, _message):
        yield next(answers)(liar.peer.key)

    liar.peer.add_handler(Browse, answer)
    listing = one.browsing.look(one.peer.connection_to(liar.peer.peer_id), path)
    return await names(listing), listing


def shelved(*records, after=0):
    return lambda key: Shelved(tuple(encode(make(key)) for make in records), after)


def own(name, **more):
    return lambda key: record(key, name, **more)


def test_attack_records_of_others_forged_private_or_out_of_place_are_left_out():
    def forged(key):
        made = record(key, "forged.txt")
        return type(made)(**{**{field: getattr(made, field) for field in made.__struct_fields__}, "size": 1})

    async def main(world):
        page = shelved(
            own("good.txt", path=("a",)),
            lambda _key: record(STRANGER, "stolen.txt", path=("a",)),
            forged,
            own("link.txt", path=("a",), visibility=Visibility.LINK),
            own("elsewhere.txt", path=("b",)),
            own("good.txt", path=("a",)),
        )
        found, listing = await look_at_liar(world, page, path=("a",))
        assert found == ["good.txt"]
        assert listing.refused == 5

    run(main)


def test_attack_a_page_that_comes_again_and_again():
    async def main(world):
        page = shelved(own("a.txt"), after=5)
        with pytest.raises(ProtocolError, match="the same page"):
            await look_at_liar(world, page, page, page)

    run(main)


def test_attack_endless_shares_end_at_the_bound(monkeypatch):
    monkeypatch.setattr("peerage.overlay.browse.browsing.BROWSE_RECORDS", 10)
    assert BROWSE_RECORDS > 10

    async def main(world):
        pages = [shelved(own(f"{number}.txt"), after=number + 1) for number in range(50)]
        found, listing = await look_at_liar(world, *pages)
        assert len(found) == 10
        assert listing.more

    run(main)


def test_attack_a_page_without_end(monkeypatch):
    monkeypatch.setattr("peerage.overlay.browse.browsing.BROWSE_PAGE", 3)

    async def main(world):
        with pytest.raises(ProtocolError, match="more than 3 records"):
            await look_at_liar(world, shelved(*(own(f"{number}.txt") for number in range(4))))

    run(main)
