import pytest
from dht_samples import OWN, contact, peer_id, rules
from overlay_world import record

from peerage.catalogue.record import encode
from peerage.errors import LimitError
from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.overlay.dht.book import ListingId, PublicationBook, bits_wanted
from peerage.overlay.dht.contacts import SPACE, number_of
from peerage.overlay.dht.limits import DHT_RENEW, DHT_RENEW_MIN, DHT_STORE_BYTES, DHT_STORE_ITEMS
from peerage.overlay.dht.messages import Drop, Kind, Outcome, Put, Verdict
from peerage.overlay.dht.parcels import Consignment
from peerage.overlay.dht.records import Posting, Value, Whereabouts

KEY = PeerKey.from_seed(b"k" * 32)
KEPT, RENEWED, FULL = (Outcome(each, 0) for each in (Verdict.STORED, Verdict.RENEWED, Verdict.FULL))
WHERE = Whereabouts.sign(KEY, (Address("5.6.7.8", 1),), 1000)


def listing_id(number, kind=Kind.PROVIDERS):
    return ListingId(kind, number.to_bytes(32, "big"))


def book(*numbers, **changes):
    made = PublicationBook(rules(**changes))
    for number in numbers:
        made.enter(listing_id(number), b"content", 0.0)
    return made


def stored(made, now, outcomes, bits=0):
    for group in made.sweep(now, bits, 1000):
        for listing in group:
            made.stored(listing, outcomes, now)


def test_what_is_new_is_due_at_once_and_once():
    made = book(1, 2)
    [group] = made.sweep(0.0, 0, 10)
    assert len(group) == 2
    assert made.sweep(0.0, 0, 10) == []
    assert not made.is_due(0.0)


def test_groups_are_regions_and_bounded():
    made = book(1, 2, 3, SPACE - 1, SPACE - 2)
    groups = made.sweep(0.0, 1, 2)
    assert [[each.number for each in group] for group in groups] == [[1, 2], [3], [SPACE - 2, SPACE - 1]]


def test_renewal_slows_down_while_keepers_stay_and_hurries_when_they_go():
    made = book(1)
    stored(made, 0.0, [KEPT] * 20)
    assert not made.is_due(DHT_RENEW_MIN - 1)
    now = 0.0
    for _ in range(40):
        now += made.interval
        assert made.is_due(now)
        stored(made, now, [RENEWED] * 20)
    assert made.interval > 0.9 * DHT_RENEW
    for _ in range(40):
        now += made.interval
        stored(made, now, [KEPT] * 16 + [RENEWED] * 4)
    assert made.interval < DHT_RENEW / 4


def test_what_nobody_took_is_tried_again_soon():
    made = book(1, retry=300.0)
    stored(made, 0.0, [])
    assert not made.is_due(299.0)
    assert made.is_due(300.0)


def test_a_word_without_room_is_left_alone():
    made = book(1, backoff=80_000.0)
    stored(made, 0.0, [FULL] * 15 + [KEPT] * 5)
    assert not made.is_due(79_999.0)
    assert made.is_due(80_000.0)


def unstamped(bits):
    return Outcome(Verdict.UNSTAMPED, 0, bits)


@pytest.mark.parametrize(
    ("outcomes", "bits"),
    [
        ([], 0),
        ([KEPT], 0),
        ([unstamped(18)], 18),
        ([KEPT, unstamped(18)], 0),
        ([KEPT, unstamped(18), unstamped(20)], 18),
        ([KEPT] * 10 + [unstamped(26)] * 10, 0),
        ([KEPT] * 9 + [unstamped(18)] * 5 + [unstamped(64)] * 6, 18),
        ([FULL, FULL, unstamped(18)], 0),
    ],
)
def test_a_better_stamp_is_made_for_half_of_the_keepers_not_for_a_few(outcomes, bits):
    assert bits_wanted(outcomes) == bits


def test_a_posting_that_needs_a_better_stamp_waits_an_hour_or_until_there_is_one():
    made = book(1, retry=300.0)
    [[listing]] = made.sweep(0.0, 0, 10)
    made.stored(listing, [unstamped(18)] * 20, 0.0)
    assert not made.is_due(DHT_RENEW_MIN - 1)
    assert made.is_due(DHT_RENEW_MIN)
    made.hurry(listing, 20.0)
    assert made.is_due(20.0)
    made.sweep(20.0, 0, 10)
    made.stored(listing, [unstamped(18)] * 19 + [KEPT], 20.0)
    made.unlist(listing.id, 30.0)
    assert len(made) == 1, "one keeper has it, and is to drop it"


def test_what_is_withdrawn_is_dropped_and_forgotten():
    made = book(1)
    stored(made, 0.0, [KEPT])
    made.unlist(listing_id(1), 10.0)
    assert listing_id(1) not in made
    [[listing]] = made.sweep(10.0, 0, 10)
    assert listing.leaving
    made.stored(listing, [Outcome(Verdict.DROPPED, 0)], 10.0)
    assert len(made) == 0


def test_what_was_never_stored_is_forgotten_at_once():
    made = book(1)
    made.unlist(listing_id(1), 0.0)
    made.unlist(listing_id(2), 0.0)
    assert len(made) == 0


def test_what_is_withdrawn_while_it_is_stored_is_dropped_after_that():
    made = book(1)
    [[listing]] = made.sweep(0.0, 0, 10)
    made.unlist(listing_id(1), 1.0)
    made.stored(listing, [KEPT], 2.0)
    assert len(made) == 1
    [[again]] = made.sweep(2.0, 0, 10)
    assert again.leaving


def test_what_comes_back_stays():
    made = book(1)
    stored(made, 0.0, [KEPT])
    made.unlist(listing_id(1), 10.0)
    made.enter(listing_id(1), b"content", 11.0)
    [[listing]] = made.sweep(11.0, 0, 10)
    assert not listing.leaving


def test_there_is_a_bound():
    made = book(1, 2, listings=2)
    assert not made.enter(listing_id(3), b"content", 0.0)
    assert made.enter(listing_id(2), b"content", 0.0)
    with pytest.raises(LimitError):
        made.take(listing_id(4, Kind.VALUE), Put(Value.sign(KEY, b"v", 1)), 0.0)


# --- who gets what ------------------------------------------------------------------------------------------------------


def consignment(numbers, peers, radius=0, item=None, **changes):
    made = book(*numbers)
    listings = [listing for group in made.sweep(0.0, 0, 10_000) for listing in group]
    pairs = [(each, item or Drop(Kind.PROVIDERS, each.id.key)) for each in listings]
    result = Consignment(pairs, radius, rules(**changes))
    result.may_go_to([contact(peer) for peer in peers])
    return result


def test_the_nearest_get_it_and_all_of_the_region():
    peers = range(1, 200)
    few = consignment([0], peers, radius=5, region_min=20, region_max=60)
    assert {number_of(each.contact.peer_id) for each in few.parcels()} == set(range(1, 21))
    some = consignment([0], peers, radius=40, region_min=20, region_max=60)
    assert {number_of(each.contact.peer_id) for each in some.parcels()} == set(range(1, 41))
    many = consignment([0], peers, radius=150, region_min=20, region_max=60)
    assert len(many.parcels()) == 60


def test_all_for_one_peer_goes_in_as_few_messages_as_bounds_allow():
    made = consignment(range(100), [1, 2])
    parcels = made.parcels()
    assert len(parcels) == 4
    assert all(len(each.items) <= DHT_STORE_ITEMS for each in parcels)
    heavy = consignment(range(60), [1], item=Posting(b"k" * 32, b"r" * 1500, 0))
    parcels = heavy.parcels()
    assert all(each.size <= DHT_STORE_BYTES for each in parcels)
    assert sum(len(each.items) for each in parcels) == 60
    assert all(each.message(WHERE).whereabouts == WHERE for each in parcels)
    assert made.parcels() == []


def test_who_does_not_answer_is_replaced_by_the_next():
    made = consignment([0], range(1, 30), region_min=3)
    first = made.parcels()
    made.lost(first[0])
    for each in first[1:]:
        made.delivered(each, [KEPT])
    [replacement] = made.parcels()
    assert number_of(replacement.contact.peer_id) == 4
    made.delivered(replacement, [KEPT])
    assert made.parcels() == []
    assert [len(outcomes) for _, outcomes in made.results()] == [3]


def test_an_answer_of_the_wrong_length_counts_as_none():
    made = consignment([0], [1], region_min=1)
    [parcel] = made.parcels()
    made.delivered(parcel, [KEPT, KEPT])
    assert [outcomes for _, outcomes in made.results()] == [[]]


def test_outcomes_find_their_listings_whatever_the_order_of_kinds():
    made = book()
    shared = record(KEY, "Blue Train.flac")
    value = Value.sign(KEY, b"v", 1)
    items = [Put(value), Drop(Kind.PROVIDERS, b"d" * 32), Posting(b"p" * 32, encode(shared), 0)]
    for number in range(len(items)):
        made.enter(listing_id(number), b"content", 0.0)
    listings = [each for group in made.sweep(0.0, 0, 10) for each in group]
    pairs = list(zip(listings, items, strict=True))
    sent = Consignment(pairs, 0, rules())
    sent.may_go_to([contact(9)])
    [parcel] = sent.parcels()
    message = parcel.message(WHERE)
    assert (len(message.postings), len(message.values), len(message.drops)) == (1, 1, 1)
    sent.delivered(parcel, [Outcome(Verdict.STORED, 1), Outcome(Verdict.STORED, 2), Outcome(Verdict.STORED, 3)])
    assert [outcomes[0].load for _, outcomes in sent.results()] == [2, 3, 1]


def test_the_own_id_is_no_special_peer():
    assert peer_id(0) == OWN


def test_what_was_stored_in_a_much_smaller_network_is_stored_again():
    made = book(1, 2)
    [group] = made.sweep(0.0, 0, 10)
    for listing, radius in zip(group, (900, 400), strict=True):
        listing.radius = radius
        made.stored(listing, [KEPT] * 20, 0.0)
    made.grown(300, 60.0)
    assert not made.is_due(60.0)
    made.grown(200, 60.0)
    [[again]] = made.sweep(60.0, 0, 10)
    assert again.number == 1


def test_what_was_never_stored_is_not_hurried_by_growth():
    made = book(1)
    stored(made, 0.0, [])
    made.grown(0, 1.0)
    assert not made.is_due(1.0)
