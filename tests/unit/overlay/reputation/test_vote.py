"""A vote is its voter's, for its work, within its bounds; anything else is none."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from votes import FAKE, GOOD, MALWARE, NOW, content_of, key_of, stamp_of, vote

from peerage.errors import ProtocolError
from peerage.overlay.reputation.vote import Ballot, cast, decode, encode, name_hash, vote_subject
from peerage.overlay.stamps import is_stamped, stamp_subject


def test_a_vote_is_the_same_after_the_wire():
    said = vote("anna", 1, FAKE)
    assert decode(encode(said)) == said
    assert said.is_genuine(1)
    assert said.peer_id == key_of("anna").peer_id


@pytest.mark.parametrize(
    "changes",
    [
        {"content": content_of(2)},
        {"opinion": GOOD},
        {"cast": int(NOW) + 1},
        {"name": bytes(16)},
        {"voter": key_of("bert").public_key},
        {"signature": bytes(64)},
    ],
)
def test_attack_a_changed_vote_is_forged(changes):
    assert not msgspec.structs.replace(vote("anna", 1, FAKE), **changes).is_genuine(0)


def test_attack_a_vote_without_work_is_none():
    key, content = key_of("anna"), content_of(1)
    subject = vote_subject(key.public_key, content)
    lazy = next(number for number in range(1000) if not is_stamped(subject, number, 4))
    assert not cast(key, Ballot(content, "x", GOOD), lazy, NOW).is_genuine(4)
    assert cast(key, Ballot(content, "x", GOOD), stamp_of(key, content, 4), NOW).is_genuine(4)


def test_work_for_publishing_is_no_work_for_voting():
    key, content = key_of("anna"), content_of(1)
    assert vote_subject(key.public_key, content) != stamp_subject(key.public_key, content)


def test_only_the_words_of_a_name_count():
    assert name_hash("Nina Simone - I Put a Spell.flac") == name_hash("i put A spell (nina SIMONE) flac")
    assert name_hash("one song") != name_hash("another song")


def test_what_is_not_good_counts_against():
    assert [each.sign for each in (GOOD, FAKE, MALWARE)] == [1, -1, -1]


@given(st.binary(max_size=300))
def test_garbage_is_no_vote(data):
    with pytest.raises(ProtocolError):
        decode(data)


def test_a_vote_out_of_bounds_is_no_vote():
    said = msgspec.msgpack.decode(encode(vote("anna", 1)))
    for place, wrong in ((0, b"short"), (1, b"x" * 17), (2, 5), (3, -1), (3, 2**41), (4, -1), (5, b""), (6, b"")):
        broken = list(said)
        broken[place] = wrong
        with pytest.raises(ProtocolError):
            decode(msgspec.msgpack.encode(broken))
    with pytest.raises(ProtocolError):
        decode(msgspec.msgpack.encode([*said, 1]))
