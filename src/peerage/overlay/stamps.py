"""Stamps: proof of a little work, so that a flood of publications costs something.

A stamp is a number that, hashed together with what it is for, gives leading zero bits (hashcash, Back 2002). Finding
one takes 2^bits hashes on average, checking it takes one. Invariant: a stamp fits one holder and one content only, so
nobody can use another's; it says nothing about truth. Pure.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from blake3 import blake3

_CONTEXT: Final = "peerage 2026 publishing stamp"
_BYTES: Final = 8
MAX_STAMP: Final = 2**63 - 1
MAX_STAMP_BITS: Final = 40  # a week of one core; anything above is a mistake

Stamp = Annotated[int, msgspec.Meta(ge=0, le=MAX_STAMP)]


def stamp_subject(holder: bytes, content: bytes) -> bytes:
    """Return what a stamp is for: that this holder (a public key) publishes this content."""
    return blake3(holder + content, derive_key_context=_CONTEXT).digest()


def find_stamp(subject: bytes, bits: int, tries: range) -> int | None:
    """Try the numbers of a range; return the first that is a stamp of `bits`, None when there is none in it."""
    limit = 1 << (8 * _BYTES - bits)
    for number in tries:
        digest = blake3(subject + number.to_bytes(_BYTES, "big")).digest(_BYTES)
        if int.from_bytes(digest, "big") < limit:
            return number
    return None


def stamp_bits(subject: bytes, stamp: int) -> int:
    """Return how many leading zero bits a stamp has."""
    digest = blake3(subject + stamp.to_bytes(_BYTES, "big")).digest(_BYTES)
    return 8 * _BYTES - int.from_bytes(digest, "big").bit_length()


def is_stamped(subject: bytes, stamp: int, bits: int) -> bool:
    """Whether a stamp is worth at least `bits`."""
    return bits <= 0 or stamp_bits(subject, stamp) >= bits
