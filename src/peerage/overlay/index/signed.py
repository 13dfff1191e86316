"""What a holder signs for indexes: the lease, and claims to contents that it does not describe.

A lease says where the holder can be dialled, until when, and with which indexes it has registered. So an index cannot
send anybody elsewhere, cannot keep somebody alive who has gone, and cannot leave out what it has without being noticed.
Invariant: what `read_lease` and `read_claim` return was signed by its holder. Whether it is still in time is asked with
`is_current`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, TypeVar

import msgspec

from peerage.errors import ForgedError, LocalError, ProtocolError
from peerage.identity.address import Address
from peerage.identity.keys import (
    SIGNATURE_BYTES,
    PeerId,
    PeerKey,
    PublicKeyField,
    SignatureField,
    peer_id_of,
    verify,
)
from peerage.limits import INDEX_SKEW, INDEXES_USED, MAX_INDEX_LEASE, MAX_LEASE_BYTES
from peerage.overlay.index.messages import Locator
from peerage.peer.messages import Addresses

TAG_BYTES: Final = 8  # of an index's id: enough to tell a few apart, and whoever makes one that is equal gains nothing
_LEASE_LABEL: Final = b"peerage 2026 index lease\0"
_CLAIM_LABEL: Final = b"peerage 2026 index claim\0"
_Time = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]  # seconds since 1970, by the holder's clock
_Tag = Annotated[bytes, msgspec.Meta(min_length=TAG_BYTES, max_length=TAG_BYTES)]


class Lease(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where a holder is, and until when; an address with an empty host means "where the index sees me"."""

    holder: PublicKeyField
    addresses: Addresses
    issued: _Time
    expires: _Time
    indexes: Annotated[tuple[_Tag, ...], msgspec.Meta(max_length=2 * INDEXES_USED)]  # where all it shares is registered
    signature: SignatureField

    @property
    def peer_id(self) -> PeerId:
        """The id of the holder."""
        return peer_id_of(self.holder)

    def is_current(self, now: float) -> bool:
        """Whether it holds at `now` (time of day), if clocks may differ a little."""
        return (
            self.issued <= now + INDEX_SKEW
            and now < self.expires + INDEX_SKEW
            and 0 < self.expires - self.issued <= MAX_INDEX_LEASE
        )

    def allows(self, told: Address) -> bool:
        """Whether an address that an index tells is the holder's, as far as the holder has said."""
        return told in self.addresses or Address("", told.port) in self.addresses


class SignedClaim(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """That a holder has the content of a locator."""

    holder: PublicKeyField
    locator: Locator
    issued: _Time
    signature: SignatureField


class Term(msgspec.Struct, frozen=True):
    """From when until when a lease holds."""

    issued: int
    expires: int


def tag_of(index: PeerId) -> bytes:
    """Return what names an index in a lease."""
    return index[:TAG_BYTES]


def make_lease(key: PeerKey, addresses: Iterable[Address], term: Term, indexes: Iterable[PeerId]) -> bytes:
    """Return a signed lease, encoded."""
    tags = tuple(map(tag_of, indexes))
    unsigned = Lease(key.public_key, tuple(addresses), term.issued, term.expires, tags, bytes(SIGNATURE_BYTES))
    return _sign(key, _LEASE_LABEL, unsigned)


def make_claim(key: PeerKey, locator: bytes, issued: int) -> bytes:
    """Return a signed claim, encoded."""
    return _sign(key, _CLAIM_LABEL, SignedClaim(key.public_key, locator, issued, bytes(SIGNATURE_BYTES)))


def read_lease(data: bytes) -> Lease:
    """Read a lease and check who signed it; raises ProtocolError or ForgedError."""
    if len(data) > MAX_LEASE_BYTES:
        raise ProtocolError(f"a lease of {len(data)} bytes; at most {MAX_LEASE_BYTES} are allowed")
    return _read(_lease_decoder, _LEASE_LABEL, data)


def read_claim(data: bytes) -> SignedClaim:
    """Read a claim and check who signed it; raises ProtocolError or ForgedError."""
    return _read(_claim_decoder, _CLAIM_LABEL, data)


SignedT = TypeVar("SignedT", Lease, SignedClaim)


def _sign(key: PeerKey, label: bytes, unsigned: Lease | SignedClaim) -> bytes:
    body = _encoder.encode(unsigned)[:-SIGNATURE_BYTES]
    data = body + key.sign(label + body)
    if len(data) > MAX_LEASE_BYTES:
        raise LocalError(f"a lease of {len(data)} bytes, more than {MAX_LEASE_BYTES}")
    return data


def _read(decoder: msgspec.msgpack.Decoder[SignedT], label: bytes, data: bytes) -> SignedT:
    try:
        found = decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ProtocolError(f"not signed for an index: {error}") from error
    if not data.endswith(found.signature):
        raise ForgedError("the signature is not where it belongs")
    verify(found.holder, found.signature, label + data[:-SIGNATURE_BYTES])
    return found


_encoder: Final = msgspec.msgpack.Encoder()
_lease_decoder: Final = msgspec.msgpack.Decoder(Lease)
_claim_decoder: Final = msgspec.msgpack.Decoder(SignedClaim)
