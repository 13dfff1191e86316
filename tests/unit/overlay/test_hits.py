from hypothesis import given, settings
from hypothesis import strategies as st
from overlay_world import content_of, record

from peerage.catalogue.query_parser import parse
from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.limits import HOLDERS_PER_SUBNET, MAX_ADDRESSES, MERGED_HITS
from peerage.overlay.base import Hit, Holder
from peerage.overlay.hits import HitMerger, Judge

KEYS = [PeerKey.from_seed(bytes([number]) * 32) for number in range(1, 9)]
HERE = (Address("198.41.0.1", 7411),)


def hit(holder, name, *, content="blue", hops=1, addresses=HERE, **more):
    made = record(KEYS[holder], name, content=content, **more)
    return Hit(made, Holder(made.peer_id, addresses), hops)


def merged(query, *hits, judge=None, owner=None):
    merger = HitMerger(parse(query), owner, judge)
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


def at(number):
    return (Address(f"203.1.{number}.1", 7411),)


def order(entries):
    return [entry.content for entry in entries]


def test_attack_many_holders_in_one_subnet_count_little():
    crowd = [hit(number, "blue.mp3", content="crowd") for number in range(6)]
    spread = [
        hit(number, "blue.mp3", content="spread", addresses=at(number)) for number in range(HOLDERS_PER_SUBNET + 1)
    ]
    assert order(merged("blue", *crowd, *spread)) == [content_of("spread"), content_of("crowd")]


def test_attack_holders_of_no_place_count_little():
    crowd = [hit(number, "blue.mp3", content="crowd", addresses=()) for number in range(6)]
    spread = [
        hit(number, "blue.mp3", content="spread", addresses=at(number)) for number in range(HOLDERS_PER_SUBNET + 1)
    ]
    assert order(merged("blue", *crowd, *spread)) == [content_of("spread"), content_of("crowd")]


def test_what_is_known_to_be_bad_comes_last_however_well_it_fits():
    judge = Judge(score=lambda record: -0.5 if record.content == content_of("bad") else 0.0)
    bad = [hit(number, "blue.mp3", content="bad", addresses=at(number)) for number in range(5)]
    good = hit(6, "blue and long.mp3", content="good")
    assert order(merged("blue", *bad, good, judge=judge)) == [content_of("good"), content_of("bad")]


def test_what_is_known_to_be_good_outweighs_numbers_but_not_the_match():
    judge = Judge(score=lambda record: 1.0 if record.content == content_of("good") else 0.0)
    many = [hit(number, "blue.mp3", content="many", addresses=at(number)) for number in range(7)]
    good = hit(7, "blue.mp3", content="good")
    longer = hit(7, "blue and long.mp3", content="good")
    assert order(merged("blue", *many, good, judge=judge)) == [content_of("good"), content_of("many")]
    assert order(merged("blue", *many, longer, judge=judge)) == [content_of("many"), content_of("good")]


def test_a_judge_who_exaggerates_is_held_to_the_scale():
    judge = Judge(score=lambda record: 1e9 if record.holder == KEYS[0].public_key else -1.0)
    both = [*(hit(number, "blue.mp3", content="bad") for number in range(3)), hit(0, "blue long.mp3", content="good")]
    assert order(merged("blue", *both, judge=judge)) == [content_of("good"), content_of("bad")]


def test_who_answered_lately_comes_before_who_did_not():
    judge = Judge(answered=lambda peer_id: 1.0 if peer_id == KEYS[1].peer_id else 0.0)
    entries = merged("blue", hit(0, "blue.mp3", content="a"), hit(1, "blue.mp3", content="b", hops=3), judge=judge)
    assert order(entries) == [content_of("b"), content_of("a")]


def test_what_this_node_holds_is_marked_and_it_is_no_holder():
    (entry,) = merged("blue", hit(0, "blue.mp3", hops=0), hit(1, "blue.mp3"), owner=KEYS[0].peer_id)
    assert entry.mine
    assert ids(entry) == [KEYS[1].peer_id]


def test_a_holder_keeps_what_it_calls_the_content_and_all_its_addresses():
    (entry,) = merged("blue", hit(0, "my blue.mp3", addresses=at(1)), hit(0, "blue.mp3", hops=2, addresses=at(2)))
    (holder,) = entry.holders
    assert holder.name == "my blue.mp3"
    assert holder.addresses == (*at(1), *at(2))
    many = [hit(0, f"blue {number}.mp3", addresses=at(number)) for number in range(2 * MAX_ADDRESSES)]
    assert len(merged("blue", *many)[0].holders[0].addresses) == MAX_ADDRESSES


@settings(deadline=None)  # a busy computer is no error
@given(st.permutations(range(8)))
def test_the_order_of_arrival_does_not_matter(order):
    hits = [hit(number % 4, f"blue {number % 3}.mp3", content=str(number % 2), hops=number) for number in range(8)]
    assert merged("blue", *(hits[number] for number in order)) == merged("blue", *hits)


def test_holders_of_one_household_all_count():
    household = [hit(n, "blue.mp3", content="home", addresses=(Address(f"10.0.0.{n}", 7411),)) for n in range(1, 6)]
    spread = [hit(n, "blue.mp3", content="spread", addresses=at(n)) for n in range(3)]
    assert order(merged("blue", *household, *spread)) == [content_of("home"), content_of("spread")]
