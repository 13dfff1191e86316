"""What the table keeps: providers of contents, postings under words, signed values; and under which keys.

Invariant: each kind has a label of its own under its signature or key, so that none passes for another. A provider's
and a whereabouts' signature is its holder's; a posting is a record of the catalogue, signed by its holder anyway. What
is decoded is within bounds, but unsigned until it was checked. Pure: time is an argument (seconds since 1970).
"""

from __future__ import annotations

from typing import Annotated, Final, Self

import msgspec
from blake3 import blake3

from peerage.errors import ForgedError, LocalError
from peerage.identity.address import Address
from peerage.identity.keys import (
    ID_BYTES,
    SIGNATURE_BYTES,
    PeerId,
    PeerKey,
    PublicKeyField,
    SignatureField,
    peer_id_of,
    verify,
)
from peerage.overlay.dht.limits import DHT_LIFE, DHT_POSTING_BYTES, DHT_SALT_BYTES, DHT_SKEW, DHT_VALUE_BYTES
from peerage.overlay.stamps import Stamp
from peerage.peer.messages import Addresses

Key = Annotated[bytes, msgspec.Meta(min_length=ID_BYTES, max_length=ID_BYTES)]
"""A point in the space of ids: a locator, the key of a word or of a value."""

_PROVIDER_LABEL: Final = b"peerage 2026 provider\0"
_WHEREABOUTS_LABEL: Final = b"peerage 2026 whereabouts\0"
_MAX_TIME: Final = 2**53

_Time = Annotated[int, msgspec.Meta(ge=0, le=_MAX_TIME)]
RecordBytes = Annotated[bytes, msgspec.Meta(min_length=1, max_length=DHT_POSTING_BYTES)]


class _Claim(msgspec.Struct, frozen=True, array_like=True):
    """What holders say of themselves: until when (seconds since 1970), and where they listen."""

    holder: PublicKeyField
    addresses: Addresses
    expires: _Time

    @property
    def peer_id(self) -> PeerId:
        """Who says so."""
        return peer_id_of(self.holder)

    def is_current(self, now: float) -> bool:
        """Whether it has not expired, nor claims a life longer than any may have."""
        return now - DHT_SKEW < self.expires <= now + DHT_LIFE + DHT_SKEW


class Whereabouts(_Claim, frozen=True, array_like=True):
    """Where a holder is; one goes with all its postings."""

    signature: SignatureField

    @classmethod
    def sign(cls, key: PeerKey, addresses: tuple[Address, ...], expires: int) -> Self:
        """Make this node's own."""
        unsigned = cls(key.public_key, addresses, expires, bytes(SIGNATURE_BYTES))
        return msgspec.structs.replace(unsigned, signature=key.sign(unsigned.signed_bytes()))

    def signed_bytes(self) -> bytes:
        """Return what is signed."""
        return _WHEREABOUTS_LABEL + _encoder.encode(self)[:-SIGNATURE_BYTES]


class Provider(_Claim, frozen=True, array_like=True):
    """A peer says that it has the content of a locator, whole or in part."""

    locator: Key
    signature: SignatureField

    @classmethod
    def sign(cls, key: PeerKey, locator: bytes, addresses: tuple[Address, ...], expires: int) -> Self:
        """Make this node's own."""
        unsigned = cls(key.public_key, addresses, expires, locator, bytes(SIGNATURE_BYTES))
        return msgspec.structs.replace(unsigned, signature=key.sign(unsigned.signed_bytes()))

    def signed_bytes(self) -> bytes:
        """Return what is signed."""
        return _PROVIDER_LABEL + _encoder.encode(self)[:-SIGNATURE_BYTES]


class Posting(msgspec.Struct, frozen=True, array_like=True):
    """A record under one of its words; the stamp is for its holder and content, whatever the word."""

    key: Key
    record: RecordBytes
    stamp: Stamp


class Value(msgspec.Struct, frozen=True, array_like=True):
    """A small value that its owner can change, in the layout of BEP 44: of two values the higher `seq` counts."""

    public_key: PublicKeyField
    salt: Annotated[bytes, msgspec.Meta(max_length=DHT_SALT_BYTES)]
    seq: _Time
    value: Annotated[bytes, msgspec.Meta(max_length=DHT_VALUE_BYTES)]
    signature: SignatureField

    @classmethod
    def sign(cls, key: PeerKey, value: bytes, seq: int, salt: bytes = b"") -> Self:
        """Make this node's own; raises LocalError when it is too large."""
        if len(value) > DHT_VALUE_BYTES or len(salt) > DHT_SALT_BYTES:
            raise LocalError(f"a value has at most {DHT_VALUE_BYTES} bytes, and its salt {DHT_SALT_BYTES}")
        if not 0 <= seq <= _MAX_TIME:
            raise LocalError(f"a sequence number is at least 0 and at most {_MAX_TIME}, not {seq}")
        unsigned = cls(key.public_key, salt, seq, value, bytes(SIGNATURE_BYTES))
        return msgspec.structs.replace(unsigned, signature=key.sign(unsigned.signed_bytes()))

    def signed_bytes(self) -> bytes:
        """Return what is signed: BEP 44's pieces of a bencoded dictionary, with the value as a byte string."""
        salt = b"4:salt%d:%s" % (len(self.salt), self.salt) if self.salt else b""
        return salt + b"3:seqi%de1:v%d:%s" % (self.seq, len(self.value), self.value)

    @property
    def key(self) -> bytes:
        """Where it is kept."""
        return key_of_value(self.public_key, self.salt)


_encoder: Final = msgspec.msgpack.Encoder()


def key_of_word(word: str) -> bytes:
    """Return where the postings of a folded search word are kept."""
    return blake3(word.encode(), derive_key_context="peerage 2026 word of a posting").digest()


def key_of_value(public_key: bytes, salt: bytes = b"") -> bytes:
    """Return where the values of a public key are kept."""
    return blake3(public_key + salt, derive_key_context="peerage 2026 key of a value").digest()


def is_signed(claim: Whereabouts | Provider) -> bool:
    """Whether the holder signed a claim."""
    return _verified(claim.holder, claim.signature, claim.signed_bytes())


def is_signed_value(value: Value) -> bool:
    """Whether the owner of its key signed a value."""
    return _verified(value.public_key, value.signature, value.signed_bytes())


def _verified(public_key: bytes, signature: bytes, data: bytes) -> bool:
    try:
        verify(public_key, signature, data)
    except ForgedError:
        return False
    return True
