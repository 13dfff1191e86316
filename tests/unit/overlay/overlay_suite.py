"""What every overlay must do, on every transport: subclass, set `world` and `make_overlay`, and run."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import msgspec
import pytest
from overlay_world import OverlayWorld, content_of, record

from peerage.catalogue.record import Visibility
from peerage.errors import QueryError
from peerage.identity.keys import PeerKey
from peerage.overlay.base import Budget, Overlay, SearchRequest
from peerage.overlay.shelf import Shelf

STRANGER = PeerKey.from_seed(b"s" * 32)


class LyingShelf:
    """The shelf of a node that answers every question with whatever it likes."""

    def __init__(self, *records: Any) -> None:
        self.records = records

    async def find(self, query, limit, audience):
        return self.records

    async def visibility(self, content_id):
        return Visibility.PUBLIC

    def fetching(self):
        return ()


class OverlaySuite:
    """The conformance suite; each test runs in a world of its own."""

    world: ClassVar[type[OverlayWorld]]

    def make_overlay(self, shelf: Shelf) -> Overlay:
        raise NotImplementedError

    async def settle(self, nodes):
        """Wait until overlays that attach, elect or exchange tables have done so; called before a search."""

    def run(self, main):
        async def settling(world):
            world.settle = self.settle
            await main(world)

        self.world.run(self.make_overlay, settling)

    def test_what_one_publishes_another_finds_through_a_third(self):
        async def main(world):
            a, b, c = await world.chain(3)
            shared = await a.share("Blue Train.flac")
            await c.settled()
            async with c.overlay.search(SearchRequest(text="blue train", wanted=1)) as search:
                hits = [hit async for hit in search]
            (hit,) = hits
            assert hit.record == shared
            assert hit.holder.peer_id == a.peer.peer_id
            assert a.address in hit.holder.addresses
            assert hit.hops >= 1
            cost = search.cost
            assert cost.found == 1
            assert cost.peers_asked >= 1
            assert cost.messages_sent >= 1
            assert cost.messages_received >= 1
            assert cost.bytes_sent > 0
            assert cost.bytes_received > len(shared.signature)
            assert cost.hops >= 1
            assert cost.first_found is not None
            assert 0 <= cost.first_found <= cost.seconds

        self.run(main)

    def test_a_holder_found_can_be_dialled(self):
        async def main(world):
            a, b, c = await world.chain(3)
            await a.share("Blue Train.flac")
            (hit,) = await c.search("blue", wanted=1)
            link = await c.peer.connect(hit.holder.addresses[0], hit.holder.peer_id)
            assert link.peer_id == a.peer.peer_id

        self.run(main)

    def test_holders_of_a_content_are_located(self):
        async def main(world):
            a, b, c = await world.chain(3)
            await a.share("Blue Train.flac", content="train")
            await b.share("another name.flac", content="train")
            holders = await c.locate(content_of("train"), wanted=2)
            assert {holder.peer_id for holder in holders} == {a.peer.peer_id, b.peer.peer_id}
            assert {each for holder in holders for each in holder.addresses} == {a.address, b.address}

        self.run(main)

    def test_what_is_withdrawn_is_found_no_more(self):
        async def main(world):
            a, b, c = await world.chain(3)
            shared = await a.share("Blue Train.flac")
            await a.share("Blue Note.flac")
            assert len(await c.search("blue", wanted=2)) == 2
            await a.unshare(shared)
            assert [hit.record.name for hit in await c.search("blue", deadline=world.patience)] == ["Blue Note.flac"]
            assert await c.locate(shared.content, deadline=world.patience) == []

        self.run(main)

    def test_everybody_who_shares_it_is_found_once(self):
        async def main(world):
            nodes = await world.chain(5)
            for one, other in ((0, 2), (1, 3), (2, 4), (0, 4)):
                await world.link(nodes[one], nodes[other])
            for node in nodes[1:]:
                await node.share("Blue Train.flac")
            hits = await nodes[0].search("blue", deadline=world.patience)
            assert sorted(hit.holder.peer_id for hit in hits) == sorted(node.peer.peer_id for node in nodes[1:])

        self.run(main)

    def test_own_shares_are_left_out(self):
        async def main(world):
            a, b = await world.chain(2)
            mine = await a.share("Blue Train.flac")
            await b.share("Blue Note.flac")
            hits = await a.search("blue", deadline=world.patience)
            assert [hit.record.name for hit in hits] == ["Blue Note.flac"]
            assert await a.locate(mine.content, deadline=world.patience) == []

        self.run(main)

    def test_no_more_comes_than_is_wanted(self):
        async def main(world):
            a, b, c = await world.chain(3)
            await a.share_records([record(a.peer.key, f"blue {number}.flac") for number in range(40)])
            assert len(await c.search("blue", wanted=7)) == 7

        self.run(main)

    def test_many_hits_come_whole(self):
        async def main(world):
            a, b, c = await world.chain(3)
            names = {f"blue {number} {'x' * 200}.flac" for number in range(50)}
            await a.share_records([record(a.peer.key, name, path=("y" * 120,) * 4) for name in names])
            assert {hit.record.name for hit in await c.search("blue", wanted=50)} == names

        self.run(main)

    def test_the_budget_is_respected(self):
        async def main(world):
            nodes = await world.chain(2)
            for _ in range(6):
                node = await world.add()
                await world.link(nodes[0], node)
                await node.share("Blue Train.flac")
            request = SearchRequest(text="blue", deadline=world.patience, budget=Budget(messages=4))
            await nodes[0].settled()
            async with nodes[0].overlay.search(request) as search:
                hits = [hit async for hit in search]
            assert search.cost.messages_sent + search.cost.messages_received <= 4
            assert search.cost.found == len(hits)

        self.run(main)

    def test_the_deadline_ends_a_search(self):
        async def main(world):
            a, b = await world.chain(2)
            await a.settled()
            async with a.overlay.search(SearchRequest(text="blue", deadline=0.2)) as search:
                assert [hit async for hit in search] == []
            assert search.cost.found == 0
            assert search.cost.first_found is None
            assert search.cost.seconds > 0

        self.run(main)

    def test_a_search_can_be_ended_early(self):
        async def main(world):
            a, b = await world.chain(2)
            await b.share_records([record(b.peer.key, f"blue {number}.flac") for number in range(40)])
            await a.settled()
            async with a.overlay.search(SearchRequest(text="blue")) as search:
                await anext(search)
            with pytest.raises(StopAsyncIteration):
                await anext(search)
            assert search.cost.found == 1

        self.run(main)

    def test_without_neighbours_nothing_is_found(self):
        async def main(world):
            a = await world.add()
            assert await a.search("blue", deadline=world.patience) == []
            assert await a.locate(content_of("x"), deadline=world.patience) == []

        self.run(main)

    def test_a_bad_query_is_refused_at_once(self):
        async def main(world):
            a = await world.add()
            with pytest.raises(QueryError):
                a.overlay.search(SearchRequest(text='"unclosed'))

        self.run(main)

    def test_several_searches_at_once_do_not_mix(self):
        async def main(world):
            a, b, c = await world.chain(3)
            for name in ("blue.flac", "red.flac", "green.flac"):
                await a.share(name)
            searches = [c.search(word, wanted=1) for word in ("blue", "red", "green")]
            found = [hit.record.name for (hit,) in await asyncio.gather(*searches)]
            assert found == ["blue.flac", "red.flac", "green.flac"]

        self.run(main)

    # --- visibility -----------------------------------------------------------------------------------------------

    def test_only_public_records_are_found_by_strangers(self):
        async def main(world):
            a, b, c = await world.chain(3)
            await a.share("blue public.flac")
            await a.share("blue friends.flac", visibility=Visibility.FRIENDS)
            await a.share("blue link.flac", visibility=Visibility.LINK)
            for node in (b, c):
                hits = await node.search("blue", deadline=world.patience)
                assert [hit.record.name for hit in hits] == ["blue public.flac"]

        self.run(main)

    def test_link_only_content_is_located_by_its_id(self):
        async def main(world):
            a, b, c = await world.chain(3)
            shared = await a.share("blue link.flac", visibility=Visibility.LINK)
            (holder,) = await c.locate(shared.content, wanted=1)
            assert holder.peer_id == a.peer.peer_id

        self.run(main)

    def test_friends_content_is_not_located_by_strangers(self):
        async def main(world):
            a, b, c = await world.chain(3)
            shared = await a.share("blue friends.flac", visibility=Visibility.FRIENDS)
            assert await c.locate(shared.content, deadline=world.patience) == []
            assert await b.locate(shared.content, deadline=world.patience) == []

        self.run(main)

    # --- attacks --------------------------------------------------------------------------------------------------

    def test_forged_record(self):
        async def main(world):
            honest, asker = await world.chain(2)
            shared = await honest.share("blue honest.flac")
            theirs = record(STRANGER, "blue stranger.flac")
            renamed = msgspec.structs.replace(theirs, name="blue renamed.flac")
            stolen = msgspec.structs.replace(shared, size=1)

            def lies(node):
                own = record(node.peer.key, "blue own.flac")
                resigned = msgspec.structs.replace(own, signature=bytes(64))
                return LyingShelf(theirs, renamed, stolen, resigned)

            await world.link(asker, await world.add(lies))
            hits = await asker.search("blue", deadline=world.patience)
            assert [hit.record for hit in hits] == [shared]

        self.run(main)

    def test_answer_to_everything(self):
        async def main(world):
            honest, asker = await world.chain(2)
            await honest.share("blue honest.flac")
            liar = await world.add(lambda node: LyingShelf(record(node.peer.key, "free money.exe")))
            await world.link(asker, liar)
            hits = await asker.search("blue", deadline=world.patience)
            assert [hit.record.name for hit in hits] == ["blue honest.flac"]

        self.run(main)
