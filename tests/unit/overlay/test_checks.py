import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from overlay_world import record

from peerage.catalogue.query_parser import parse
from peerage.catalogue.record import Visibility, encode
from peerage.identity.keys import PeerKey
from peerage.limits import MAX_RECORD_BYTES
from peerage.overlay.checks import Refused, check_hit, check_record

KEY = PeerKey.from_seed(b"k" * 32)
OTHER = PeerKey.from_seed(b"o" * 32)
BLUE = parse("blue")
GOOD = record(KEY, "blue.flac")
FRIENDS = record(KEY, "blue.flac", visibility=Visibility.FRIENDS)
LINK = record(KEY, "blue.flac", visibility=Visibility.LINK)


@pytest.mark.parametrize("sender", [None, KEY.public_key])
def test_a_true_public_record_passes(sender):
    assert check_record(encode(GOOD), sender) == GOOD
    assert check_hit(encode(GOOD), sender, BLUE) == GOOD


def test_a_friends_record_passes_only_straight_from_its_holder():
    assert check_hit(encode(FRIENDS), KEY.public_key, BLUE) == FRIENDS
    assert check_hit(encode(FRIENDS), None, BLUE) is Refused.PRIVATE


def test_a_link_record_never_passes():
    assert check_record(encode(LINK), KEY.public_key) is Refused.PRIVATE


def test_nobody_answers_with_records_of_others():
    assert check_record(encode(GOOD), OTHER.public_key) is Refused.FOREIGN


def test_a_record_off_the_query_is_refused():
    assert check_hit(encode(record(KEY, "red.flac")), None, BLUE) is Refused.OFF_TOPIC


@pytest.mark.parametrize(
    "changes",
    [{"size": 1}, {"name": "blue too.flac"}, {"holder": OTHER.public_key}, {"issued": 2}, {"signature": bytes(64)}],
)
def test_forged_record(changes):
    forged = msgspec.structs.replace(GOOD, **changes)
    assert check_hit(encode(forged), None, BLUE) is Refused.FORGED


def test_a_public_record_cannot_be_made_of_a_private_one():
    opened = msgspec.structs.replace(FRIENDS, visibility=Visibility.PUBLIC)
    assert check_hit(encode(opened), None, BLUE) is Refused.FORGED


@given(st.binary(max_size=MAX_RECORD_BYTES + 10))
def test_garbage_is_refused(raw):
    assert check_hit(raw, None, BLUE) is Refused.MALFORMED


@given(st.integers(0, len(encode(GOOD)) - 1), st.integers(1, 255))
def test_no_changed_byte_passes(place, change):
    raw = bytearray(encode(GOOD))
    raw[place] ^= change
    assert isinstance(check_hit(bytes(raw), None, BLUE), Refused)
