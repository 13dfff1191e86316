import msgspec
import pytest
from dht_samples import peer_id, rules
from overlay_world import content_of, record

from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Visibility, encode
from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.overlay.dht.contacts import SPACE
from peerage.overlay.dht.keeping import Keeper
from peerage.overlay.dht.limits import DHT_ANSWER_BYTES, DHT_LIFE, DHT_SKEW
from peerage.overlay.dht.messages import Drop, Fetch, Kind, Put, Store, Verdict
from peerage.overlay.dht.records import Posting, Provider, Value, Whereabouts, key_of_word
from peerage.overlay.dht.store import Publisher
from peerage.overlay.stamps import find_stamp, stamp_bits, stamp_subject

NOW = 1_790_000_000.0
KEY = PeerKey.from_seed(b"k" * 32)
OTHER = PeerKey.from_seed(b"o" * 32)
HERE = (Address("5.6.7.8", 7411),)
SENDER = Publisher(KEY.peer_id, "4:1", "5.6.7.8")
STRANGER = Publisher(OTHER.peer_id, "4:2", "9.9.9.9")
LOCATOR = b"l" * 32


def keeper(radius=SPACE, **changes):
    return Keeper(peer_id(5), rules(**changes), lambda: radius)


def where(key=KEY, expires=NOW + 1000):
    return Whereabouts.sign(key, HERE, int(expires))


def provider(key=KEY, expires=NOW + 1000):
    return Provider.sign(key, LOCATOR, HERE, int(expires))


def posting(shared, word="blue", bits=4):
    stamp = find_stamp(stamp_subject(shared.holder, shared.content), bits, range(2**16))
    return Posting(key_of_word(word), encode(shared), stamp)


def verdicts(made, message, sender=SENDER, key=KEY, now=NOW):
    return [each.verdict for each in made.take(message, sender, key.public_key, now)]


def found(made, word="blue", text="blue", now=NOW, **fetch):
    return made.find(Fetch(Kind.POSTINGS, key_of_word(word), text=text, **fetch), parse(text), now, near=False)


def test_a_provider_is_kept_renewed_told_and_dropped():
    made = keeper()
    assert verdicts(made, Store(providers=(provider(),))) == [Verdict.STORED]
    assert verdicts(made, Store(providers=(provider(expires=NOW + 2000),))) == [Verdict.RENEWED]
    told = made.find(Fetch(Kind.PROVIDERS, LOCATOR), None, NOW, near=False)
    assert [(each.provider.expires, each.seen) for each in told.providers] == [(NOW + 2000, "5.6.7.8")]
    drop = Store(drops=(Drop(Kind.PROVIDERS, LOCATOR),))
    assert verdicts(made, drop, STRANGER, OTHER) == [Verdict.DROPPED]  # of what is the stranger's own: nothing
    assert made.find(Fetch(Kind.PROVIDERS, LOCATOR), None, NOW, near=False) is not None
    verdicts(made, drop)
    assert made.find(Fetch(Kind.PROVIDERS, LOCATOR), None, NOW, near=False) is None


@pytest.mark.parametrize("expires", [NOW - DHT_SKEW, NOW + DHT_LIFE + 2 * DHT_SKEW])
def test_what_has_expired_or_claims_too_long_a_life_is_not_kept(expires):
    made = keeper()
    assert verdicts(made, Store(providers=(provider(expires=expires),))) == [Verdict.STALE]
    shared = record(KEY, "Blue Train.flac")
    assert verdicts(made, Store(where(expires=expires), postings=(posting(shared),))) == [Verdict.STALE]


def test_a_posting_needs_whereabouts_of_its_own_holder():
    shared = record(KEY, "Blue Train.flac")
    made = keeper()
    assert verdicts(made, Store(None, postings=(posting(shared),))) == [Verdict.STALE]
    assert verdicts(made, Store(where(OTHER), postings=(posting(shared),))) == [Verdict.STALE]
    assert verdicts(made, Store(where(), postings=(posting(shared),))) == [Verdict.STORED]
    [group] = found(made).records
    assert group.records == (encode(shared),)
    assert group.whereabouts.holder == KEY.public_key


def test_what_is_no_public_record_under_its_own_word_is_not_kept():
    shared = record(KEY, "Blue Train.flac")
    private = record(KEY, "Blue Train.flac", visibility=Visibility.FRIENDS)
    garbage = msgspec.structs.replace(posting(shared), record=b"garbage")
    wrong = Store(
        where(), postings=(posting(shared, "green"), posting(private), garbage, posting(record(OTHER, "blue")))
    )
    expected = [Verdict.MALFORMED, Verdict.FOREIGN, Verdict.MALFORMED, Verdict.FOREIGN]
    assert verdicts(keeper(), wrong) == expected


def test_a_posting_without_a_stamp_is_not_kept():
    shared = record(KEY, "Blue Train.flac")
    made = keeper(stamp_bits=12)
    bad = next(number for number in range(100) if number != posting(shared, bits=12).stamp)
    cheap = msgspec.structs.replace(posting(shared), stamp=bad)
    assert verdicts(made, Store(where(), postings=(cheap,))) == [Verdict.UNSTAMPED]
    assert verdicts(made, Store(where(), postings=(posting(shared, bits=12),))) == [Verdict.STORED]


def flood(made, numbers, bits, sender=SENDER):
    """Store so many new postings, each under a word of its own, until one is refused; return the last outcome."""
    for number in numbers:
        shared = record(KEY, f"flood{number}.flac")
        message = Store(where(), postings=(posting(shared, f"flood{number}", bits),))
        [outcome] = made.take(message, sender, KEY.public_key, NOW)
        if outcome.verdict is not Verdict.STORED:
            break
    return outcome


def priced(free=5, subnet_free=50, **changes):
    publishing = msgspec.structs.replace(rules().publishing, free=free, subnet_free=subnet_free, step=3)
    return keeper(stamp_bits=1, uncounted=2, publishing=publishing, **changes)


def test_new_postings_become_dearer_and_renewals_do_not():
    made = priced()
    refused = flood(made, range(100), 1)
    assert (refused.verdict, refused.bits) == (Verdict.UNSTAMPED, 3)
    count = len(made.shelves)
    assert 2 + 5 <= count <= 2 + 5 + 3  # a stamp may be better than it has to be
    again = Store(where(), postings=(posting(record(KEY, "flood0.flac"), "flood0", 1),))
    assert verdicts(made, again) == [Verdict.RENEWED]
    assert flood(made, range(100, 200), 3).bits == 5
    assert len(made.shelves) > count


def test_postings_from_one_subnet_are_counted_together():
    made = priced(free=50, subnet_free=5)
    assert flood(made, range(100), 1).bits == 3
    other = Store(where(OTHER), postings=(posting(record(OTHER, "Blue.flac", content="x"), "blue", 1),))
    worth = stamp_bits(stamp_subject(OTHER.public_key, content_of("x")), other.postings[0].stamp)
    assert worth < 3
    assert verdicts(made, other, Publisher(OTHER.peer_id, SENDER.subnet, ""), OTHER) == [Verdict.UNSTAMPED]
    assert verdicts(made, other, STRANGER, OTHER) == [Verdict.STORED]


def test_nobody_is_asked_to_work_for_what_has_no_room_or_no_business_here():
    assert flood(priced(stored_per_publisher=4), range(100), 1).verdict is Verdict.FULL
    made = priced(stored_per_publisher=8)
    flood(made, range(100), 1)
    while len(made.shelves) < 8:
        flood(made, range(100 * len(made.shelves), 100 * len(made.shelves) + 9), 9)
    refused = flood(made, range(9000, 9100), 0)
    assert (refused.verdict, refused.bits) == (Verdict.FULL, 0)
    assert flood(keeper(stamp_bits=12), range(1), 1).verdict is Verdict.UNSTAMPED
    assert flood(keeper(stamp_bits=12, radius=2**200), range(1), 1).verdict is Verdict.FAR


def test_the_rest_of_the_query_is_checked_where_the_posting_is():
    made = keeper()
    for name in ("Blue Train.flac", "Blue Note.mkv"):
        verdicts(made, Store(where(), postings=(posting(record(KEY, name)),)))
    assert sum(len(each.records) for each in found(made).records) == 2
    assert sum(len(each.records) for each in found(made, text="blue type:video").records) == 1
    assert found(made, text="blue giant") is None


def test_a_long_list_is_told_in_pages():
    made = keeper()
    shared = [record(KEY, f"blue {number} {'x' * 200}.flac", path=("y" * 120,) * 4) for number in range(60)]
    for each in shared:
        assert verdicts(made, Store(where(), postings=(posting(each),))) == [Verdict.STORED]
    got, skip = set(), 0
    while page := found(made, skip=skip):
        records = [raw for group in page.records for raw in group.records]
        assert sum(map(len, records)) <= DHT_ANSWER_BYTES
        got.update(records)
        skip += len(records)
        assert page.more == 60 - skip
    assert got == {encode(each) for each in shared}


def test_what_is_far_is_none_of_our_business():
    made = keeper(radius=2**200)
    assert verdicts(made, Store(providers=(provider(),))) == [Verdict.FAR]
    assert verdicts(made, Store(values=(Put(Value.sign(KEY, b"v", 1)),))) == [Verdict.FAR]


def test_values_change_upwards_only():
    made = keeper()
    one, two = Value.sign(KEY, b"one", 1), Value.sign(KEY, b"two", 2)
    assert verdicts(made, Store(values=(Put(one), Put(two), Put(two), Put(one)))) == [
        Verdict.STORED,
        Verdict.RENEWED,
        Verdict.RENEWED,
        Verdict.STALE,
    ]
    rewritten = Value.sign(KEY, b"two and a half", 2)
    assert verdicts(made, Store(values=(Put(rewritten),))) == [Verdict.STALE]
    assert made.find(Fetch(Kind.VALUE, one.key), None, NOW, near=False).value == two


def test_a_put_with_cas_needs_that_number():
    made = keeper()
    verdicts(made, Store(values=(Put(Value.sign(KEY, b"v", 5)),)))
    assert verdicts(made, Store(values=(Put(Value.sign(KEY, b"w", 7), 6),))) == [Verdict.CONFLICT]
    assert verdicts(made, Store(values=(Put(Value.sign(KEY, b"w", 7), 5),))) == [Verdict.RENEWED]


def test_anybody_may_renew_a_value_and_takes_nobodys_place():
    made = keeper(stored_per_publisher=1)
    value = Value.sign(KEY, b"v", 5)
    assert verdicts(made, Store(values=(Put(value),))) == [Verdict.STORED]
    assert verdicts(made, Store(values=(Put(value),)), STRANGER, OTHER) == [Verdict.RENEWED]
    assert verdicts(made, Store(providers=(provider(OTHER),)), STRANGER, OTHER) == [Verdict.STORED]
    assert len(made.shelves) == 2


def test_nobody_drops_a_value():
    made = keeper()
    value = Value.sign(KEY, b"v", 5)
    verdicts(made, Store(values=(Put(value),)))
    assert verdicts(made, Store(drops=(Drop(Kind.VALUE, value.key),))) == [Verdict.FOREIGN]
    assert len(made.shelves) == 1


def test_a_posting_is_dropped_by_its_content():
    made = keeper()
    one, two = record(KEY, "Blue Train.flac"), record(KEY, "Blue Note.flac")
    verdicts(made, Store(where(), postings=(posting(one), posting(two))))
    verdicts(made, Store(drops=(Drop(Kind.POSTINGS, key_of_word("blue"), one.content),)))
    assert [group.records for group in found(made).records] == [(encode(two),)]


def test_a_full_key_says_so():
    made = keeper(per_key=2)
    for key in (KEY, OTHER):
        sender = Publisher(key.peer_id, "", "")
        assert verdicts(made, Store(providers=(provider(key),)), sender, key) == [Verdict.STORED]
    third = PeerKey.from_seed(b"3" * 32)
    [outcome] = made.take(Store(providers=(provider(third),)), Publisher(third.peer_id, "", ""), third.public_key, NOW)
    assert (outcome.verdict, outcome.load) == (Verdict.FULL, 100)


def test_a_host_on_this_computer_is_told_on_this_computer_only():
    made = keeper()
    verdicts(made, Store(providers=(provider(),)), Publisher(KEY.peer_id, "", "127.0.0.1"))
    fetch = Fetch(Kind.PROVIDERS, LOCATOR)
    assert made.find(fetch, None, NOW, near=True).providers[0].seen == "127.0.0.1"
    assert made.find(fetch, None, NOW, near=False).providers[0].seen == ""
