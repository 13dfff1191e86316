"""Nodes that vote: news goes round, questions are answered, forgers lose the link, and nothing happens without news."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from votes import FAKE, GOOD, RULES, content_of, key_of, stamp_of

from peerage.catalogue.record import Description, Record
from peerage.errors import LimitError, StoreError
from peerage.lab.clock import run_virtual
from peerage.lab.world import SimNode, World, WorldPlan
from peerage.overlay.reputation import Reputation, Standing, VoteStore
from peerage.overlay.reputation.messages import AskVotes, NewVotes
from peerage.overlay.reputation.rules import VOTES_SENT, VOTES_TOLD_EACH, ReputationRules
from peerage.overlay.reputation.vote import Ballot, Vote, cast
from peerage.peer.peer import Peer

SONG = content_of("song")


class Votes:
    """A world in which every node has a reputation."""

    def __init__(self, world: World, rules: ReputationRules) -> None:
        self.world = world
        self.rules = rules
        self.of: dict[int, Reputation] = {}

    async def add(self, store: VoteStore | None = None) -> tuple[SimNode, Reputation]:
        node = await self.world.add()
        reputation = self.of[node.number] = Reputation(store, rules=self.rules)
        await node.peer.mount(reputation)
        return node, reputation

    async def line(self, length: int) -> list[tuple[SimNode, Reputation]]:
        made = [await self.add() for _ in range(length)]
        for (one, _), (other, _) in zip(made, made[1:], strict=False):
            await self.world.link(one, other)
        return made


def in_a_world(work: Callable[[Votes], Awaitable[None]], rules: ReputationRules = RULES, seed: int = 0) -> None:
    async def main(rng: random.Random) -> None:
        async with World(rng, WorldPlan(peers=0, strangers=True)) as world:
            await work(Votes(world, rules))

    run_virtual(main, seed)


def vote_of(peer: Peer, number: int, opinion=GOOD, at: float | None = None) -> Vote:
    content = content_of(number)
    when = peer.clock.time() if at is None else at
    return cast(peer.key, Ballot(content, "a song", opinion), stamp_of(peer.key, content), when)


def votes_of_strangers(peer: Peer, number: int) -> list[Vote]:
    found = []
    for each in range(number):
        key, content = key_of(f"stranger {each}"), content_of(each)
        found.append(cast(key, Ballot(content, "x", FAKE), stamp_of(key, content), peer.clock.time()))
    return found


def test_a_vote_goes_as_many_links_as_it_may():
    async def work(votes: Votes) -> None:
        nodes = await votes.line(6)
        await nodes[0][1].vote(SONG, "song", FAKE)
        await asyncio.sleep(60)
        assert [reputation.known for _, reputation in nodes] == [1, 1, 1, 1, 0, 0]
        assert nodes[3][1].verdict(SONG).votes_against == 1

    in_a_world(work, msgspec.structs.replace(RULES, hops=3))


def test_who_thinks_again_is_heard_again():
    async def work(votes: Votes) -> None:
        (_, one), (_, other) = await votes.line(2)
        await one.vote(SONG, "song", FAKE)
        await one.vote(SONG, "song", GOOD)
        await asyncio.sleep(30)
        assert (other.verdict(SONG).votes_for, other.verdict(SONG).votes_against) == (1, 0)

    in_a_world(work)


def test_without_news_nothing_is_sent():
    async def work(votes: Votes) -> None:
        nodes = await votes.line(4)
        await nodes[0][1].vote(SONG, "song", GOOD)
        await asyncio.sleep(60)
        before = votes.world.trace.deliveries
        await asyncio.sleep(3600)
        assert votes.world.trace.deliveries == before

    in_a_world(work)


def test_a_vote_cast_alone_is_told_to_who_comes_later():
    async def work(votes: Votes) -> None:
        one, mine = await votes.add()
        await mine.vote(SONG, "song", GOOD)
        await asyncio.sleep(100)
        other, theirs = await votes.add()
        await votes.world.link(other, one)
        await asyncio.sleep(10)
        assert theirs.known == 1

    in_a_world(work)


def test_many_votes_go_out_in_batches_at_a_bounded_rate():
    async def work(votes: Votes) -> None:
        (_, one), (_, other) = await votes.line(2)
        for number in range(35):
            await one.vote(content_of(number), "x", GOOD)
        await asyncio.sleep(2)
        assert other.known == VOTES_SENT
        await asyncio.sleep(RULES.interval)
        assert other.known == 2 * VOTES_SENT
        await asyncio.sleep(3 * RULES.interval)
        assert other.known == 35

    in_a_world(work)


def test_neighbours_are_asked_about_what_was_found():
    async def work(votes: Votes) -> None:
        (_, one), (_, other) = await votes.line(2)
        await one.vote(SONG, "song", FAKE)
        await asyncio.sleep(10)
        third, asker = await votes.add()
        assert await asker.learn([SONG]) == 0, "there is nobody to ask"
        await votes.world.link(third, votes.world.nodes[1])
        assert await asker.learn([SONG, content_of(9)]) == 1
        assert asker.verdict(SONG).votes_against == 1
        assert await asker.learn([SONG]) == 0, "and not again at once"

    in_a_world(work, msgspec.structs.replace(RULES, hops=1))


def test_peers_without_votes_are_no_trouble():
    async def work(votes: Votes) -> None:
        node, reputation = await votes.add()
        await votes.world.link(node, await votes.world.add())
        assert await reputation.learn([SONG]) == 0
        await reputation.vote(SONG, "song", GOOD)
        await asyncio.sleep(60)

    in_a_world(work)


def test_an_answer_has_ones_own_votes_first_and_few_of_each():
    async def work(votes: Votes) -> None:
        (one, mine), (other, _) = await votes.line(2)
        await mine.vote(content_of(0), "x", GOOD)
        for each in range(100):
            key = key_of(f"sybil {each}")
            fake = cast(key, Ballot(content_of(0), "x", FAKE), stamp_of(key, content_of(0)), one.peer.clock.time() + 60)
            other.peer.connection_to(one.peer.peer_id).send(NewVotes(1, (fake,)))
            await asyncio.sleep(0.5)
        answer = await other.peer.connection_to(one.peer.peer_id).request(AskVotes((content_of(0),)))
        assert len(answer.votes) == VOTES_TOLD_EACH
        assert answer.votes[0].voter == one.peer.key.public_key

    in_a_world(work)


@pytest.mark.parametrize("damage", [{"opinion": GOOD}, {"signature": bytes(64)}, {"content": content_of("other")}])
def test_attack_whoever_passes_on_a_forged_vote_loses_the_link(damage):
    async def work(votes: Votes) -> None:
        (one, mine), (liar, _) = await votes.line(2)
        forged = msgspec.structs.replace(vote_of(one.peer, 1, FAKE), voter=key_of("victim").public_key, **damage)
        liar.peer.connection_to(one.peer.peer_id).send(NewVotes(1, (forged,)))
        await asyncio.sleep(1)
        assert mine.known == 0
        assert one.peer.metrics.value("votes_refused", "forged") == 1
        assert one.peer.connection_to(liar.peer.peer_id) is None

    in_a_world(work)


def test_attack_a_flood_of_votes_over_one_link_is_held_back():
    async def work(votes: Votes) -> None:
        (one, mine), (liar, _) = await votes.line(2)
        spam = votes_of_strangers(one.peer, 300)
        for first in range(0, 300, VOTES_SENT):
            liar.peer.connection_to(one.peer.peer_id).send(NewVotes(1, tuple(spam[first : first + VOTES_SENT])))
        await asyncio.sleep(1)
        assert mine.known <= RULES.burst + 2 * RULES.rate
        assert one.peer.metrics.value("votes_refused", "rate") > 0

    in_a_world(work)


def test_attack_a_flood_of_questions_is_refused():
    async def work(votes: Votes) -> None:
        (one, _), (other, _) = await votes.line(2)
        connection = other.peer.connection_to(one.peer.peer_id)
        with pytest.raises(LimitError):
            await connection.request_all([AskVotes((SONG,))] * 100)

    in_a_world(work)


def test_attack_an_answer_about_something_else_is_not_taken():
    async def work(votes: Votes) -> None:
        (_, asker), (liar, theirs) = await votes.line(2)
        fake = vote_of(liar.peer, 7, FAKE)
        theirs._worth_telling = lambda _content: [fake]
        assert await asker.learn([SONG]) == 0
        assert asker.known == 0

    in_a_world(work)


def test_what_a_banned_peer_says_is_not_heard():
    async def work(votes: Votes) -> None:
        (one, mine), (middle, _), (liar, theirs) = await votes.line(3)
        one.peer.table.update(liar.peer.peer_id, banned=True)
        await theirs.vote(SONG, "song", FAKE)
        await asyncio.sleep(30)
        assert votes.of[middle.number].known == 1
        assert mine.known == 0

    in_a_world(work)


def test_friends_and_those_one_follows_decide():
    async def work(votes: Votes) -> None:
        (one, mine), (other, theirs) = await votes.line(2)
        await theirs.vote(SONG, "song", FAKE)
        await asyncio.sleep(10)
        described = Description(content=SONG, name="song", size=1, mime="audio/mpeg")
        record = Record.sign(other.peer.key, described, 1)
        assert (mine.verdict(SONG).standing, mine.score(record)) == (Standing.SHOW, 0)
        await mine.follow(other.peer.peer_id)
        assert mine.verdict(SONG, "song").standing is Standing.HIDE
        assert mine.score(record) == -0.5
        await mine.follow(other.peer.peer_id, follow=False)
        one.peer.table.update(other.peer.peer_id, friend=True)
        assert mine.verdict(SONG).standing is Standing.HIDE

    in_a_world(work)


def test_votes_last_on_disk(tmp_path):
    async def work(votes: Votes) -> None:
        executor = votes.world._executor
        store = await VoteStore.open(tmp_path / "votes.sqlite", executor)
        (one, mine) = await votes.add(store)
        other, theirs = await votes.add()
        await votes.world.link(one, other)
        await mine.vote(content_of(1), "my song", FAKE)
        await theirs.vote(content_of(2), "their song", GOOD)
        await mine.follow(other.peer.peer_id)
        await asyncio.sleep(20)
        assert mine.known == 2
        await one.peer.unmount(mine)
        await store.close()
        again = await VoteStore.open(tmp_path / "votes.sqlite", executor)
        later = Reputation(again, rules=RULES)
        await one.peer.mount(later)
        assert [(each.name, each.vote.opinion) for each in later.own_votes()] == [("my song", FAKE)]
        assert later.verdict(content_of(2)).reasons == ("good: 1 whom you follow, weight 1.00",)
        assert later.follows == {other.peer.peer_id}
        await one.peer.unmount(later)
        await again.close()

    in_a_world(work)


def test_a_file_of_another_program_is_left_alone(tmp_path):
    import sqlite3

    path = tmp_path / "votes.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()

    async def main(_rng: random.Random) -> None:
        with pytest.raises(StoreError, match="another program"):
            await VoteStore.open(path, None)

    run_virtual(main)
    assert path.read_bytes() == before


def test_old_votes_of_ones_own_are_cast_again():
    async def work(votes: Votes) -> None:
        store = await VoteStore.open(None, votes.world._executor)
        node, mine = await votes.add(store)
        first = await mine.vote(SONG, "song", GOOD)
        await node.peer.unmount(mine)
        node.clock.jump(0.6 * RULES.life)
        later = Reputation(store, rules=RULES)
        await node.peer.mount(later)
        (own,) = later.own_votes()
        assert own.vote.cast > first.cast + 0.5 * RULES.life
        assert (own.name, own.vote.opinion, own.vote.stamp) == ("song", GOOD, first.stamp)

    in_a_world(work)
