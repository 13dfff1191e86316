from hypothesis import given
from hypothesis import strategies as st
from overlay_world import content_of, record

from peerage.catalogue.query_parser import parse
from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.limits import MERGED_HITS
from peerage.overlay.base import Hit, Holder
from peerage.overlay.hits import HitMerger

KEYS = [PeerKey.from_seed(bytes([number]) * 32) for number in range(1, 9)]
HERE = (Address("192.0.2.1", 7411),)


def hit(holder, name, *, content="blue", hops=1, addresses=HERE, **more):
    made = record(KEYS[holder], name, content=content, **more)
    return Hit(made, Holder(made.peer_id, addresses), hops)


def merged(query, *hits):
    merger = HitMerger(parse(query))
    for each in hits:
        merger.add(each)
    return merger.ranked()


def ids(entry):
    return [holder.peer_id for holder in entry.holders]


def test_equal_content_under_different_names_is_one_hit():
    (entry,) = merged("blue", hit(0, "blue train.mp3"), hit(1, "coltrane blue train.mp3", hops=3), hit(2, "blue.mp3"))
    assert entry.content == content_of("blue")
    assert entry.names == ("blue.mp3", "blue train.mp3", "coltrane blue train.mp3")
    assert entry.name == "blue.mp3"
    assert len(entry.holders) == 3
    assert entry.hops == 1


def test_of_equally_good_names_the_most_common_comes_first():
    (entry,) = merged("blue", hit(0, "blue a.mp3"), hit(1, "blue b.mp3"), hit(2, "blue b.mp3"), hit(3, "blue c.mp3"))
    assert entry.names[0] == "blue b.mp3"


def test_a_holder_with_two_names_is_one_holder():
    (entry,) = merged("blue", hit(0, "blue a.mp3"), hit(0, "blue b.mp3"))
    assert ids(entry) == [KEYS[0].peer_id]
    assert len(entry.names) == 2


def test_the_nearest_holder_comes_first_and_one_without_address_last():
    (entry,) = merged(
        "blue", hit(0, "blue.mp3", hops=3), hit(1, "blue.mp3", hops=1, addresses=()), hit(2, "blue.mp3", hops=2)
    )
    assert ids(entry) == [KEYS[2].peer_id, KEYS[0].peer_id, KEYS[1].peer_id]


def test_different_contents_are_different_hits_in_the_order_of_their_worth():
    entries = merged(
        "blue train",
        hit(0, "blue train.mp3", content="lonely"),
        hit(1, "blue train.mp3", content="common"),
        hit(2, "blue train.mp3", content="common"),
        hit(3, "blue train live.mp3", content="longer"),
    )
    assert [entry.content for entry in entries] == [content_of(each) for each in ("common", "lonely", "longer")]


def test_a_lone_claim_about_the_size_loses():
    (entry,) = merged("blue", hit(0, "blue.mp3", size=1), hit(1, "blue.mp3"), hit(2, "blue b.mp3"))
    assert entry.size == 1000


def test_a_hit_that_adds_nothing_is_noticed():
    merger = HitMerger(parse("blue"))
    assert merger.add(hit(0, "blue.mp3", hops=2)).hops == 2
    assert merger.add(hit(0, "blue.mp3", hops=2)) is None
    assert merger.add(hit(0, "blue.mp3", hops=3)) is None
    assert merger.add(hit(0, "blue.mp3", hops=1)).hops == 1
    assert len(merger) == 1


def test_one_content_is_bounded():
    merger = HitMerger(parse("blue"))
    added = [merger.add(hit(0, f"blue {number}.mp3")) for number in range(MERGED_HITS + 5)]
    assert sum(entry is not None for entry in added) == MERGED_HITS


@given(st.permutations(range(8)))
def test_the_order_of_arrival_does_not_matter(order):
    hits = [hit(number % 4, f"blue {number % 3}.mp3", content=str(number % 2), hops=number) for number in range(8)]
    assert merged("blue", *(hits[number] for number in order)) == merged("blue", *hits)
