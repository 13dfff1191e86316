"""Supernodes and leaves together: what is handed over, what happens when one is lost, full, or lies."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from overlay_world import content_of, record
from supernode_world import RULES, run_world, until

from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Visibility, encode
from peerage.errors import LimitError, RefusedError
from peerage.overlay.base import LocateRequest, SearchRequest
from peerage.overlay.keywords import need_of
from peerage.overlay.locators import locator_of
from peerage.overlay.supernode import Role, Setting, SupernodeOverlay
from peerage.overlay.supernode.messages import (
    AskSupernode,
    Attach,
    HandOver,
    RecordsOf,
    RecordsTold,
    Unpair,
    WhereSupernodes,
)

_NOBODY = Setting(reachable=lambda: False)


def index_of(node):
    return node.overlay._serving._index


def uplinks_of(node):
    return {each.peer_id for each in node.overlay._attaching.uplinks}


def test_nodes_find_their_places_and_search_through_them():
    async def main(world):
        supernodes, leaves = await world.settled(4, 8)
        assert [node.overlay.role for node in supernodes] == [Role.SUPERNODE] * 4
        assert [node.overlay.supernodes for node in leaves] == [3] * 8
        assert sum(node.overlay.leaves for node in supernodes) == 24
        shared = await leaves[0].share("Blue Train.flac")
        await world.rest(4)
        hits = await leaves[1].search("blue train")
        assert [(hit.record, hit.holder.addresses) for hit in hits] == [(shared, (leaves[0].address,))]
        assert [hit.record for hit in await supernodes[0].search("blue train")] == [shared]

    run_world(main)


def test_a_small_network_has_no_supernodes_and_costs_next_to_nothing():
    async def main(world):
        rules = msgspec.structs.replace(RULES, crowd=24, upkeep=20.0)
        for _ in range(4):
            await world.add_node(capable=True, rules=rules)
        await asyncio.sleep(100)
        heard = []
        world.network.tap = lambda *delivery: heard.append(delivery)
        await asyncio.sleep(640)
        assert len(heard) <= 4 * 3 * 2 * 3  # a question to three neighbours every five minutes or so, and its answer
        assert [node.overlay.role for node in world.nodes] == [Role.IDLE] * 4
        assert await world.nodes[0].search("blue") == []

    run_world(main)


def test_who_becomes_a_supernode_is_found_and_finds_all_the_time():
    async def main(world):
        supernodes, leaves = await world.settled(4, 3)
        riser = await world.add_node(capable=True)
        shared = await riser.share("Blue Train.flac")
        other = await leaves[0].share("Green Train.flac")
        await world.rest(4)
        assert riser.overlay.role is Role.LEAF
        riser.overlay._election.serves = True
        await until(lambda: riser.overlay.role is Role.SUPERNODE, 10.0, 0.01)
        for _ in range(40):
            found, finds = await asyncio.gather(leaves[1].search("blue train"), riser.search("green train"))
            assert [hit.record for hit in found] == [shared]
            assert [hit.record for hit in finds] == [other]
            await asyncio.sleep(0.2)
        assert riser.overlay.supernodes == len(supernodes)
        assert not uplinks_of(riser)
        assert all(node.overlay.tie_to(riser.peer.peer_id) is Role.SUPERNODE for node in supernodes)

    run_world(main)


def test_what_only_friends_may_see_stays_at_the_leaf():
    async def main(world):
        supernodes, leaves = await world.settled(3, 2)
        leaves[0].befriend(leaves[1])
        for supernode in supernodes:
            leaves[0].befriend(supernode)
        await leaves[0].share("blue public.flac")
        await leaves[0].share("blue friends.flac", visibility=Visibility.FRIENDS)
        linked = await leaves[0].share("blue link.flac", visibility=Visibility.LINK)
        await world.rest(3)
        for supernode in supernodes:
            held = await index_of(supernode).held(leaves[0].peer.peer_id)
            assert held.count == 2
            (found,) = await index_of(supernode).holders(locator_of(linked.content), 9)
            assert linked.content not in found.body
            assert [hit.record.name for hit in await supernode.search("blue")] == ["blue public.flac"]

    run_world(main)


def test_what_is_being_fetched_is_located():
    async def main(world):
        await world.settled(3, 1)
        content = content_of("half of it")

        class Fetching:
            async def find(self, query, limit, audience):
                return ()

            async def visibility(self, content_id):
                return Visibility.LINK

            def fetching(self):
                return (content,)

        holder = await world.add_node(shelf=lambda _node: Fetching())
        await world.rest(3)
        (found,) = await world.nodes[3].locate(content)
        assert found.peer_id == holder.peer.peer_id

    run_world(main)


@pytest.mark.parametrize("silently", [False, True])
def test_the_loss_of_a_supernode_is_not_noticed_in_a_search_under_way(silently):
    async def main(world):
        supernodes, leaves = await world.settled(4, 3)
        shared = await leaves[0].share("Blue Train.flac")
        await world.rest(4)
        asker = leaves[1]
        search = asker.overlay.search(SearchRequest(text="blue train", wanted=1))
        first = asyncio.ensure_future(anext(search))
        await until(lambda: search.cost.peers_asked == 1, step=0.001)
        inquiry = next(iter(asker.overlay._inquiries))
        (asked,) = inquiry._tasks
        world.kill(next(node for node in supernodes if node.peer.peer_id == asked), silently=silently)
        hit = await first
        assert hit.record == shared
        assert search.cost.first_found < 2.0
        assert search.cost.peers_asked == 2
        await search.aclose()
        if not silently:
            await world.rest(3)
            assert asker.overlay.supernodes == 3
            assert asked not in uplinks_of(asker)

    run_world(main)


class _Hides(SupernodeOverlay):
    """A supernode that tells nobody of anything."""

    def handlers(self):
        async def nothing(_connection, _message):
            yield RecordsTold(())

        for kind, handler in super().handlers():
            yield kind, nothing if kind is AskSupernode else handler


class _Invents(SupernodeOverlay):
    """A supernode that answers whatever is asked with files that nobody has."""

    def handlers(self):
        async def rubbish(connection, message):
            made = [record(self.peer.key, f"{message.text} {number}.exe") for number in range(9)]
            forged = [msgspec.structs.replace(each, size=5) for each in made]
            yield RecordsTold((RecordsOf(0, (), tuple(map(encode, forged))),))

        for kind, handler in super().handlers():
            yield kind, rubbish if kind is AskSupernode else handler


@pytest.mark.parametrize("kind", [_Hides, _Invents])
def test_supernode_capture(kind):
    """A supernode that hides what it knows, or invents, is noticed by comparison, and replaced; honest ones are not."""

    async def main(world):
        bad = await world.add_supernode(kind=kind)
        for _ in range(4):
            await world.add_supernode()
        for _ in range(2):
            await world.add_node()
        await world.rest(4)
        holder, asker = world.nodes[-2:]
        await holder.share_records([record(holder.peer.key, f"blue {number}.flac") for number in range(2)])
        await world.rest(4)
        seen = 0
        for _ in range(24):
            seen += bad.peer.peer_id in uplinks_of(asker)
            assert len(await asker.search("blue")) == 2
            await asyncio.sleep(1)
        assert seen  # else there was nothing to notice
        assert bad.peer.peer_id not in uplinks_of(asker)
        assert asker.metric("supernode_uplinks_replaced") == 1
        assert asker.overlay.supernodes == 3

    run_world(main)


def test_a_full_supernode_names_others_and_calls_for_more():
    async def main(world):
        rules = msgspec.structs.replace(RULES, leaves=1, uplinks=1)
        could = False
        first = await world.add_node(capable=True, rules=rules)
        one = await world.add_node(rules=rules, reachable=lambda: could)
        await until(lambda: first.overlay.role is Role.SUPERNODE, 60.0, 0.5)
        await until(lambda: one.overlay.role is Role.LEAF, 60.0, 0.5)
        two = await world.add_node(rules=rules)
        await asyncio.sleep(70)
        assert two.overlay.role is Role.IDLE
        could = True
        one.overlay._attaching.uplinks.get(first.peer.peer_id).renew_at = 0.0  # it tells that it could serve by now
        await until(lambda: one.overlay.role is Role.SUPERNODE, 300.0, 0.5)
        await until(lambda: two.overlay.role is Role.LEAF, 300.0, 0.5)

    run_world(main)


def test_good_supernodes_are_kept_for_the_next_start():
    async def main(world):
        kept = []
        supernodes, _ = await world.settled(3, 0)
        leaf = await world.add_node(save=kept.append)
        await world.rest(3)
        await asyncio.sleep(5)
        assert {each.peer_id for each in kept[-1]} == {node.peer.peer_id for node in supernodes}
        await leaf.peer.unmount(leaf.overlay)
        world.nodes.remove(leaf)
        world.make_overlay = lambda shelf: SupernodeOverlay(
            shelf, msgspec.structs.replace(_NOBODY, load=lambda: kept[-1]), RULES
        )
        again = await world.add()
        await until(lambda: again.overlay.supernodes == 3, 60.0, 0.5)

    run_world(main)


def test_one_without_leaves_steps_down_and_is_a_leaf():
    async def main(world):
        rules = msgspec.structs.replace(RULES, least_leaves=3)
        supernodes, leaves = await world.settled(5, 4, rules)
        await asyncio.sleep(400)
        roles = [node.overlay.role for node in supernodes]
        assert roles.count(Role.SUPERNODE) in (3, 4)
        assert roles.count(Role.LEAF) == 5 - roles.count(Role.SUPERNODE)
        assert [node.overlay.supernodes for node in leaves] == [3] * 4

    run_world(main)


def test_a_supernode_that_leaves_sends_its_leaves_elsewhere():
    async def main(world):
        supernodes, leaves = await world.settled(4, 3)
        shared = await leaves[0].share("Blue Train.flac")
        await world.rest(4)
        gone = supernodes[1]
        world.nodes.remove(gone)
        await gone.peer.unmount(gone.overlay)
        await world.rest(3)
        assert all(node.overlay.supernodes == 3 and gone.peer.peer_id not in uplinks_of(node) for node in leaves)
        assert [hit.record for hit in await leaves[1].search("blue")] == [shared]

    run_world(main)


def test_a_lost_leaf_is_told_of_no_more():
    async def main(world):
        supernodes, leaves = await world.settled(3, 2)
        await leaves[0].share("Blue Train.flac")
        await world.rest(3)
        assert len(await leaves[1].search("blue")) == 1
        world.kill(leaves[0])
        await asyncio.sleep(1)
        assert await leaves[1].search("blue") == []
        await asyncio.sleep(RULES.kept + 10)
        assert [index_of(node).count for node in supernodes] == [0] * 3
        assert [node.overlay.leaves for node in supernodes] == [1] * 3

    run_world(main)


# --- attacks ----------------------------------------------------------------------------------------------------------


def test_records_of_others_are_not_taken_from_a_leaf():
    async def main(world):
        (supernode,), (leaf,) = await world.settled(1, 1)
        link = leaf.peer.connection_to(supernode.peer.peer_id)
        theirs = record(supernode.peer.key, "blue theirs.flac")
        hidden = record(leaf.peer.key, "blue hidden.flac", visibility=Visibility.FRIENDS)
        for wrong in (encode(theirs), encode(hidden), b"\x93"):
            with pytest.raises(RefusedError):
                await link.request(HandOver(records=(wrong,)))
        assert index_of(supernode).count == 0

    run_world(main)


def test_who_is_no_leaf_hands_over_nothing():
    async def main(world):
        (supernode,), _ = await world.settled(1, 1)
        stranger = await world.add_peer()
        link = await stranger.connect(supernode.address)
        with pytest.raises(RefusedError):
            await link.request(HandOver(records=(encode(record(stranger.key, "blue.flac")),)))

    run_world(main)


def test_a_leaf_that_forges_is_sent_away_when_that_shows():
    async def main(world):
        (supernode,), (leaf, asker) = await world.settled(1, 2)
        link = leaf.peer.connection_to(supernode.peer.peer_id)
        forged = msgspec.structs.replace(record(leaf.peer.key, "blue.flac"), size=5)
        await link.request(HandOver(records=(encode(forged),)))
        assert index_of(supernode).count == 1
        assert await asker.search("blue") == []
        assert asker.metric("supernode_refused", "forged") == 0  # it never came that far
        assert supernode.metric("supernode_denied", "forged") == 1
        await asyncio.sleep(0.2)
        assert index_of(supernode).count == 0

    run_world(main)


def test_a_leaf_that_asks_or_brings_too_much_is_refused():
    async def main(world):
        rules = msgspec.structs.replace(RULES, queries_burst=5.0, records_burst=20.0)
        (supernode,), (leaf,) = await world.settled(1, 1, rules)
        link = leaf.peer.connection_to(supernode.peer.peer_id)
        outcomes = []
        for number in range(10):
            try:
                outcomes.append([part async for part in link.request_parts(AskSupernode(f"word{number}", 5, 1.0))])
            except LimitError:
                outcomes.append(None)
        assert outcomes.count(None) >= 3
        many = tuple(encode(record(leaf.peer.key, f"blue {number}.flac")) for number in range(40))
        with pytest.raises(LimitError):
            await link.request(HandOver(records=many))

    run_world(main)


def test_guests_are_answered_and_who_is_none_refuses():
    async def main(world):
        (supernode,), (leaf,) = await world.settled(1, 1)
        await leaf.share("Blue Train.flac")
        await world.rest(1)
        guest = await world.add_peer()
        link = await guest.connect(supernode.address)
        parts = [part async for part in link.request_parts(AskSupernode("blue", 5, 1.0))]
        assert sum(len(holder.records) for part in parts for holder in part.holders) == 1
        told = await link.request(WhereSupernodes())
        assert told.supernodes[0].peer_id == supernode.peer.peer_id
        other = await guest.connect(leaf.address)
        answer = await other.request(Attach((), capable=False, fresh=False))
        assert not answer.accepted
        with pytest.raises(RefusedError):
            await anext(other.request_parts(AskSupernode("blue", 5, 1.0)))

    run_world(main)


def test_a_bad_query_of_a_leaf_is_refused():
    async def main(world):
        (supernode,), (leaf,) = await world.settled(1, 1)
        link = leaf.peer.connection_to(supernode.peer.peer_id)
        with pytest.raises(RefusedError):
            await anext(link.request_parts(AskSupernode('"unclosed', 5, 1.0)))

    run_world(main)


def test_nothing_is_found_by_nobody():
    async def main(world):
        alone = await world.add_node()
        assert await alone.search("blue") == []
        async with alone.overlay.locate(LocateRequest(content_id=bytes(32))) as search:
            assert [each async for each in search] == []

    run_world(main)


def test_supernodes_that_were_parted_and_meet_again_know_each_others_tables():
    async def main(world):
        (one, two), (holder,) = await world.settled(2, 1)
        uplinks = {node.peer.peer_id: node for node in (one, two)}
        keeper = uplinks[next(iter(uplinks_of(holder)))]
        other = two if keeper is one else one
        await asyncio.sleep(5)
        other.overlay._linking._around.send(keeper.peer.peer_id, Unpair(over=False))
        other.overlay._linking._remove(keeper.peer.peer_id)
        for here, there in ((one, two), (two, one)):
            here.overlay._around.known.is_full(there.peer.peer_id, asyncio.get_running_loop().time())
        await asyncio.sleep(1)
        await holder.share("Blue Train.flac")
        await asyncio.sleep(10)
        assert other.overlay._linking.links() == []
        await asyncio.sleep(150)
        assert other.overlay.supernodes == keeper.overlay.supernodes == 1
        book = other.overlay._engine._book
        assert book.near(keeper.peer.peer_id, need_of(parse("blue train"))) == 1
        assert book.near(keeper.peer.peer_id, need_of(parse("red train"))) > 1

    run_world(main)


def test_who_attaches_again_and_again_is_refused():
    async def main(world):
        rules = msgspec.structs.replace(RULES, queries_burst=5.0)
        (supernode,), (leaf,) = await world.settled(1, 1, rules)
        link = leaf.peer.connection_to(supernode.peer.peer_id)
        attaching = [link.request(Attach((), capable=False, fresh=True)) for _ in range(20)]
        outcomes = await asyncio.gather(*attaching, return_exceptions=True)
        assert sum(isinstance(outcome, LimitError) for outcome in outcomes) >= 15

    run_world(main)
