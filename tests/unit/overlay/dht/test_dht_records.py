import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.errors import LocalError, ProtocolError
from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.limits import MAX_CONTROL_PAYLOAD
from peerage.overlay.dht.contacts import Contact
from peerage.overlay.dht.limits import DHT_LIFE, DHT_SKEW, DHT_STORE_ITEMS
from peerage.overlay.dht.messages import (
    Drop,
    Fetch,
    Found,
    FoundProvider,
    FoundRecords,
    Kept,
    Kind,
    Look,
    Outcome,
    Put,
    Seen,
    Store,
    Verdict,
)
from peerage.overlay.dht.records import (
    Posting,
    Provider,
    Value,
    Whereabouts,
    is_signed,
    is_signed_value,
    key_of_value,
    key_of_word,
)
from peerage.wire.message import decode, encode

KEY = PeerKey.from_seed(b"k" * 32)
OTHER = PeerKey.from_seed(b"o" * 32)
HERE = (Address("5.6.7.8", 7411),)
PROVIDER = Provider.sign(KEY, b"l" * 32, HERE, 1000)
WHERE = Whereabouts.sign(KEY, HERE, 1000)
VALUE = Value.sign(KEY, b"hello", 3, b"salt")
CONTACT = Contact(KEY.peer_id, HERE)
MESSAGES = [
    Look(b"t" * 32, True, Fetch(Kind.POSTINGS, b"k" * 32, 5, 2, "blue train")),
    Look(b"t" * 32, False),
    Seen(True, (CONTACT,), Found((FoundProvider(PROVIDER, "5.6.7.8"),), (FoundRecords(WHERE, "", (b"r",)),), VALUE, 7)),
    Seen(False, ()),
    Store(
        WHERE,
        (PROVIDER,),
        (Posting(b"k" * 32, b"r", 5),),
        (Put(VALUE, 2),),
        (Drop(Kind.POSTINGS, b"k" * 32, b"c" * 32),),
    ),
    Kept((Outcome(Verdict.STORED, 0), Outcome(Verdict.FULL, 100), Outcome(Verdict.UNSTAMPED, 5, 18))),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: type(each).__name__)
def test_a_message_survives_the_wire(message):
    assert decode(type(message), encode(message)[12:]) == message


@pytest.mark.parametrize("kind", [Look, Seen, Store, Kept])
@given(st.binary(max_size=200))
def test_garbage_gives_a_protocol_error_or_a_message(kind, data):
    with contextlib.suppress(ProtocolError):
        decode(kind, data)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Look, Look(b"short", True)),
        (Look, Look(b"t" * 32, True, Fetch(Kind.VALUE, b"k" * 32, 0))),
        (Look, Look(b"t" * 32, True, Fetch(Kind.VALUE, b"k" * 32, 1, -1))),
        (Look, Look(b"t" * 32, True, Fetch(9, b"k" * 32))),
        (Look, Look(b"t" * 32, True, Fetch(Kind.POSTINGS, b"k" * 32, text="x" * 257))),
        (Seen, Seen(True, (CONTACT,) * 21)),
        (Seen, Seen(True, (Contact(KEY.peer_id, ()),))),
        (Seen, Seen(True, (Contact(KEY.peer_id, HERE * 3),))),
        (Seen, Seen(True, (Contact(b"short", HERE),))),
        (Store, Store(drops=(Drop(Kind.PROVIDERS, b"k" * 32),) * (DHT_STORE_ITEMS + 1))),
        (Store, Store(postings=(Posting(b"k" * 32, b"r" * 1537, 0),))),
        (Store, Store(postings=(Posting(b"k" * 32, b"r", -1),))),
        (Store, Store(values=(Put(msgspec.structs.replace(VALUE, value=b"v" * 1001)),))),
        (Store, Store(values=(Put(msgspec.structs.replace(VALUE, salt=b"v" * 65)),))),
        (Kept, Kept((Outcome(Verdict.STORED, 101),))),
        (Kept, Kept((Outcome(Verdict.UNSTAMPED, 0, 65),))),
    ],
    ids=lambda each: "" if isinstance(each, type) else str(each)[:60],
)
def test_what_exceeds_a_bound_is_refused(kind, message):
    with pytest.raises(ProtocolError):
        decode(kind, encode(message)[12:])


def test_an_outcome_without_bits_is_read():
    assert decode(Kept, msgspec.msgpack.encode([[[0, 7]]])) == Kept((Outcome(Verdict.STORED, 7, 0),))


def test_the_largest_answer_fits_a_frame():
    far = tuple(Contact(KEY.peer_id, (Address("h" * 253, 65535),) * 2) for _ in range(20))
    group = FoundRecords(Whereabouts.sign(KEY, (Address("h" * 253, 65535),) * 8, 10**9), "h" * 64, (b"r" * 1536,))
    assert len(encode(Seen(True, far, Found(records=(group,) * 10)))) < MAX_CONTROL_PAYLOAD


def test_what_is_signed_is_known_and_what_is_changed_shows():
    assert is_signed(PROVIDER)
    assert is_signed(WHERE)
    assert is_signed_value(VALUE)
    assert PROVIDER.peer_id == WHERE.peer_id == KEY.peer_id
    for claim in (PROVIDER, WHERE):
        for change in ({"holder": OTHER.public_key}, {"addresses": ()}, {"expires": 1001}):
            assert not is_signed(msgspec.structs.replace(claim, **change))
    assert not is_signed(msgspec.structs.replace(PROVIDER, locator=b"m" * 32))
    for change in ({"seq": 4}, {"value": b"hallo"}, {"salt": b""}, {"public_key": OTHER.public_key}):
        assert not is_signed_value(msgspec.structs.replace(VALUE, **change))


def test_one_kind_of_signature_passes_for_no_other():
    assert not is_signed(Whereabouts(KEY.public_key, HERE, 1000, PROVIDER.signature))


def test_a_value_is_signed_as_in_bep_44():
    assert VALUE.signed_bytes() == b"4:salt4:salt3:seqi3e1:v5:hello"
    assert Value.sign(KEY, b"Hello World!", 1).signed_bytes() == b"3:seqi1e1:v12:Hello World!"


def test_keys_of_words_and_values_differ():
    assert key_of_word("blue") != key_of_word("train")
    assert VALUE.key == key_of_value(KEY.public_key, b"salt") != key_of_value(KEY.public_key)
    assert key_of_value(OTHER.public_key) != key_of_value(KEY.public_key)


@pytest.mark.parametrize("wrong", [{"value": b"v" * 1001}, {"salt": b"s" * 65}, {"seq": -1}, {"seq": 2**53 + 1}])
def test_a_value_out_of_bounds_is_not_made(wrong):
    fields = {"value": b"v", "seq": 1, "salt": b""} | wrong
    with pytest.raises(LocalError):
        Value.sign(KEY, **fields)


def test_a_claim_is_current_until_it_expires_and_has_no_long_life():
    assert WHERE.is_current(1000)
    assert WHERE.is_current(1000 + DHT_SKEW - 1)
    assert not WHERE.is_current(1000 + DHT_SKEW)
    assert not WHERE.is_current(1000 - DHT_LIFE - DHT_SKEW - 1)
