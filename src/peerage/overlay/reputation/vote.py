"""A vote: one peer's signed opinion of one content, under the name by which it knew it (Walsh and Sirer 2006).

Invariant: a `Vote` is within bounds or does not exist; whether its voter really cast it, and did the work that a vote
costs, is known only after `is_genuine`. The stamp belongs to the voter and the content, not to the opinion, so who
thinks again works no second time. Nothing here decides whom to believe. Pure.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from typing import Annotated, Final

import msgspec
from blake3 import blake3

from peerage.catalogue.record import ContentId
from peerage.catalogue.text import search_words
from peerage.errors import ForgedError, ProtocolError
from peerage.identity.keys import (
    SIGNATURE_BYTES,
    PeerId,
    PeerKey,
    PublicKeyField,
    SignatureField,
    peer_id_of,
    verify,
)
from peerage.overlay.stamps import Stamp, is_stamped, stamp_subject

NAME_BYTES: Final = 16
_LABEL: Final = b"peerage 2026 vote\0"  # a signature over a vote can be mistaken for no other signature
_NAME_CONTEXT: Final = "peerage 2026 name in a vote"
_SUBJECT: Final = b"vote"  # work for publishing a content is no work for voting on it
_MAX_TIME: Final = 2**40
_CHECKED: Final = 4096  # votes found genuine lately: the same comes by several ways, and again when it was not kept


class Opinion(IntEnum):
    """What a voter says of a content; what is not good counts against it."""

    GOOD = 1  # it is what its name says
    FAKE = -1  # it is something else, or broken
    MALWARE = -2  # it does harm

    @property
    def sign(self) -> int:
        """+1 for, -1 against."""
        return 1 if self is Opinion.GOOD else -1


class Vote(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One opinion as it travels; of two votes of one voter on one content the one cast later counts."""

    content: ContentId
    name: Annotated[bytes, msgspec.Meta(min_length=NAME_BYTES, max_length=NAME_BYTES)]
    opinion: Opinion
    cast: Annotated[int, msgspec.Meta(ge=0, le=_MAX_TIME)]  # seconds since 1970, by the voter's clock
    stamp: Stamp
    voter: PublicKeyField
    signature: SignatureField

    @property
    def peer_id(self) -> PeerId:
        """The id of the peer that voted."""
        return peer_id_of(self.voter)

    def signed_bytes(self) -> bytes:
        """Return what the voter signs: a label, then the encoded vote without its signature."""
        return _LABEL + _encoder.encode(self)[:-SIGNATURE_BYTES]

    def is_genuine(self, bits: int) -> bool:
        """Whether the voter cast it, and did the work; costs a tenth of a millisecond."""
        return is_stamped(vote_subject(self.voter, self.content), self.stamp, bits) and _is_signed(encode(self))


class Ballot(msgspec.Struct, frozen=True):
    """What somebody wants to say, before it is stamped and signed."""

    content: bytes
    name: str
    opinion: Opinion


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Vote)


def cast(key: PeerKey, ballot: Ballot, stamp: int, now: float) -> Vote:
    """Sign a vote."""
    unsigned = Vote(
        ballot.content,
        name_hash(ballot.name),
        ballot.opinion,
        int(now),
        stamp,
        key.public_key,
        bytes(SIGNATURE_BYTES),
    )
    return msgspec.structs.replace(unsigned, signature=key.sign(unsigned.signed_bytes()))


def encode(vote: Vote) -> bytes:
    """Return the vote as MessagePack."""
    return _encoder.encode(vote)


def decode(data: bytes) -> Vote:
    """Read a vote, unchecked; raises ProtocolError for anything else."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProtocolError(f"not a vote: {error}") from error


def vote_subject(voter: bytes, content: bytes) -> bytes:
    """Return what the stamp of a vote is for."""
    return stamp_subject(voter, _SUBJECT + content)


def name_hash(name: str) -> bytes:
    """Return what stands for a name in a vote: the same for the same words in any order and case."""
    words = " ".join(sorted(set(search_words(name))))
    return blake3(words.encode(), derive_key_context=_NAME_CONTEXT).digest(NAME_BYTES)


@lru_cache(maxsize=_CHECKED)
def _is_signed(encoded: bytes) -> bool:
    vote = decode(encoded)
    try:
        verify(vote.voter, vote.signature, vote.signed_bytes())
    except ForgedError:
        return False
    return True
