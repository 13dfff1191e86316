"""The log of what indexes are to know, against a plain model of what an index has then."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from overlay_world import record

from peerage.catalogue.index_table import Held, claim_key, fingerprint, key_of
from peerage.catalogue.locator import locator_of
from peerage.catalogue.record import Visibility, encode
from peerage.identity.keys import PeerKey
from peerage.overlay.index import ledger as module
from peerage.overlay.index.ledger import Ledger

KEY = PeerKey.from_seed(b"o" * 32)
PUBLIC, FRIENDS, LINK = Visibility.PUBLIC, Visibility.FRIENDS, Visibility.LINK
RECORDS = [
    record(KEY, name, content=content, visibility=visibility)
    for name in ("a", "b")
    for content in ("x", "y")
    for visibility in Visibility
]


def new_ledger(**more):
    return Ledger(KEY.peer_id, lambda locator: (b"claim" + locator, 7), **more)


class Index:
    """What an index has that is brought up to date by what the ledger says."""

    def __init__(self):
        self.bodies = {}
        self.cursor = 0

    def catch_up(self, ledger):
        for key in ledger.removed_since(self.cursor):
            self.bodies.pop(key, None)
        for offer in ledger.since(self.cursor):
            if offer.claim:
                key = claim_key(KEY.peer_id, offer.body[5:])
            else:
                (key,) = [key_of(each) for each in RECORDS if encode(each) == offer.body]
            self.bodies[key] = (offer.body, offer.mark)
        self.cursor = ledger.number

    @property
    def held(self):
        digest = 0
        for _, mark in self.bodies.values():
            digest ^= mark
        return Held(len(self.bodies), digest)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["publish", "withdraw", "fetch", "one", "other"]), st.sets(st.integers(0, 11), max_size=3)
    )
)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_every_index_gets_there_at_its_own_pace(steps):
    ledger, indexes = new_ledger(), {"one": Index(), "other": Index()}
    shared, fetching = {}, set()
    for step, numbers in steps:
        some = [RECORDS[number] for number in sorted(numbers)]
        if step in indexes:
            indexes[step].catch_up(ledger)
        elif step == "fetch":
            fetching = {each.content for each in some}
            ledger.set_fetching(fetching)
        else:
            getattr(ledger, step)(some)
            for each in some:
                shared.pop(key_of(each), None)
                if step == "publish":
                    shared[key_of(each)] = each
    expected = {key: encode(each) for key, each in shared.items() if each.visibility is PUBLIC}
    claimed = {each.content for each in shared.values() if each.visibility is LINK} | fetching
    expected |= {claim_key(KEY.peer_id, locator_of(each)): b"claim" + locator_of(each) for each in claimed}
    for index in indexes.values():
        index.catch_up(ledger)
        assert {key: body for key, (body, _) in index.bodies.items()} == expected
        assert index.held == ledger.held


def test_what_friends_see_is_not_in_it():
    ledger = new_ledger()
    ledger.publish([record(KEY, "a", visibility=FRIENDS)])
    assert len(ledger) == 0
    assert ledger.since(0) == []


def test_the_same_record_again_is_no_change():
    ledger = new_ledger()
    ledger.publish([RECORDS[0]])
    ledger.publish([RECORDS[0]])
    assert ledger.number == 1
    assert ledger.since(0)[0].mark == fingerprint(key_of(RECORDS[0]), RECORDS[0].issued)


def test_too_many_are_left_out():
    ledger = new_ledger(maximum=2)
    ledger.publish([record(KEY, f"{number}") for number in range(5)])
    assert len(ledger) == 2
    assert ledger.left_out == 3


def test_forgotten_removals_raise_the_floor(monkeypatch):
    monkeypatch.setattr(module, "INDEX_REMOVALS", 3)
    ledger = new_ledger()
    made = [record(KEY, f"{number}") for number in range(10)]
    ledger.publish(made)
    assert ledger.floor == 0
    ledger.withdraw(made)
    assert len(ledger.removed_since(0)) == 3
    assert ledger.floor == 17
