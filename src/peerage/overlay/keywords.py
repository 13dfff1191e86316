"""Keyword tables: what a peer could answer, as a bit table small enough to give to every neighbour (Gnutella's QRP).

A table has 2**bits slots, bits from 10 to 20. A word has the 32-bit number `CRC-32(UTF-8) * 0x9E3779B1 mod 2**32`, a
locator the first four bytes of it; the topmost `bits` of the number are its slot. So tables of different sizes say the
same with more or less precision, and can be merged.

Invariant: `may_match` is never false for what the words that were added would answer; it may be true for more. What
comes from another peer never takes more memory than its size allows, and a table that says yes to nearly everything
cannot be decoded. What may be put into a table is decided by whoever fills it. Pure.

Source: C. Rohrs, Query Routing for the Gnutella Network (2002); the sizes and the bound on the fill are our own.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec

from peerage.catalogue.query import AnyOf, Query, Term, Words
from peerage.catalogue.record import FIELD_GAP, Record
from peerage.errors import ProtocolError

MIN_BITS: Final = 10
MAX_BITS: Final = 20
MAX_FILL: Final = 0.6
"""Share of set slots above which a table says too little to be worth anything, and is refused."""

_SPARSE: Final = 128  # slots per word that a table is made for: six merged ones still tell 95 of 100 words apart
_MAX_LOOSE: Final = 8192  # numbers that are kept one by one; more of them fill the largest table anyway
_FACTOR: Final = 0x9E3779B1
_NUMBER: Final = 0xFFFFFFFF
_LEVEL: Final = 6


@lru_cache(maxsize=4096)
def number_of(word: str) -> int:
    """Return the 32-bit number of a search word."""
    return zlib.crc32(word.encode(errors="surrogatepass")) * _FACTOR & _NUMBER


def number_of_locator(locator: bytes) -> int:
    """Return the 32-bit number of a content's locator (locators.py)."""
    return int.from_bytes(locator[:4], "big")


def numbers_of(record: Record) -> set[int]:
    """Return the numbers of all words by which a record can be found."""
    return {number_of(word) for word in record.words() if word != FIELD_GAP}


class Need(msgspec.Struct, frozen=True):
    """What a table must have to match: of each group one alternative, of that all numbers. No group: anything fits."""

    groups: tuple[tuple[tuple[int, ...], ...], ...]


def need_of(query: Query) -> Need:
    """Return what of a query can be asked of tables: whole words. Beginnings, filters and exclusions are left out."""
    groups = (_alternatives(group) for group in query.wanted)
    return Need(tuple(group for group in groups if all(group)))


def need_of_locator(locator: bytes) -> Need:
    """Return what a table must have for a content to be there."""
    return Need((((number_of_locator(locator),),),))


def _alternatives(group: AnyOf) -> tuple[tuple[int, ...], ...]:
    return tuple(_whole_words(term) for term in group.terms)


def _whole_words(term: Term) -> tuple[int, ...]:
    if not isinstance(term, Words):
        return ()
    words = term.words[:-1] if term.prefix else term.words
    return tuple(number_of(word) for word in words)


class KeywordTable:
    """A bit table; it never changes."""

    __slots__ = ("bits", "slots")

    def __init__(self, bits: int = MIN_BITS, slots: bytes | None = None) -> None:
        """Take `slots`, one bit each, the first in the lowest bit of the first byte; without them nothing is in it."""
        self.bits = bits
        self.slots = bytes(1 << bits - 3) if slots is None else slots

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeywordTable) and self.slots == other.slots

    def __hash__(self) -> int:
        return hash(self.slots)

    @property
    def fill(self) -> float:
        """The share of slots that are set."""
        return int.from_bytes(self.slots, "little").bit_count() / (1 << self.bits)

    def may_match(self, need: Need) -> bool:
        """Whether what this table was made of may answer."""
        slots, shift = self.slots, 32 - self.bits
        for group in need.groups:
            for alternative in group:
                for number in alternative:
                    slot = number >> shift
                    if not slots[slot >> 3] & 1 << (slot & 7):
                        break
                else:
                    break
            else:
                return False
        return True

    # --- other sizes ------------------------------------------------------------------------------------------------

    def scaled(self, bits: int) -> KeywordTable:
        """Return a table of another size that matches all that this one does."""
        slots = self.slots
        for _ in range(self.bits, bits):
            slots = _doubled(slots)
        for _ in range(bits, self.bits):
            slots = _halved(slots)
        return self if bits == self.bits else KeywordTable(bits, slots)

    # --- on the wire ------------------------------------------------------------------------------------------------

    def snapshot(self) -> bytes:
        """Return the whole table, compressed."""
        return zlib.compress(self.slots, _LEVEL)

    def patch_to(self, newer: KeywordTable) -> bytes:
        """Return what `patched` needs to make of this one a newer one of the same size, compressed."""
        return zlib.compress(_xor(self.slots, newer.slots), _LEVEL)

    def patched(self, patch: bytes) -> KeywordTable:
        """Return this table with a patch of another peer applied; raises ProtocolError when it is none."""
        return _checked(self.bits, _xor(self.slots, _inflate(patch, len(self.slots))))


def read_snapshot(bits: int, data: bytes) -> KeywordTable:
    """Return the table that another peer sent; raises ProtocolError when it is none, or too full."""
    if not MIN_BITS <= bits <= MAX_BITS:
        raise ProtocolError(f"a keyword table has {MIN_BITS} to {MAX_BITS} bits, not {bits}")
    return _checked(bits, _inflate(data, 1 << bits - 3))


def merged(tables: Iterable[KeywordTable]) -> KeywordTable:
    """Return a table, as large as the largest of these, that matches all that any of them does."""
    found = list(tables)
    bits = max((table.bits for table in found), default=MIN_BITS)
    slots = 0
    for table in found:
        slots |= int.from_bytes(table.scaled(bits).slots, "little")
    return KeywordTable(bits, slots.to_bytes(1 << bits - 3, "little"))


class KeywordBag:
    """Collects numbers; `table` is large enough for them. Nothing can be taken out: to forget, begin anew."""

    __slots__ = ("_dense", "_loose", "_table")

    def __init__(self) -> None:
        self._loose: set[int] = set()
        self._dense: bytearray | None = None  # slots of the largest table, once there are many
        self._table: KeywordTable | None = None

    def add(self, numbers: Iterable[int]) -> None:
        """Put numbers in."""
        self._table = None
        if self._dense is None:
            self._loose.update(numbers)
            if len(self._loose) > _MAX_LOOSE:
                self._dense = bytearray(1 << MAX_BITS - 3)
                self._set(self._dense, MAX_BITS, self._loose)
                self._loose = set()
        else:
            self._set(self._dense, MAX_BITS, numbers)

    def table(self) -> KeywordTable:
        """Return the table of all that was added; the same one until more is."""
        if self._table is None:
            if self._dense is not None:
                self._table = KeywordTable(MAX_BITS, bytes(self._dense))
            else:
                bits = max(MIN_BITS, min(MAX_BITS, (len(self._loose) * _SPARSE - 1).bit_length()))
                slots = bytearray(1 << bits - 3)
                self._set(slots, bits, self._loose)
                self._table = KeywordTable(bits, bytes(slots))
        return self._table

    @staticmethod
    def _set(slots: bytearray, bits: int, numbers: Iterable[int]) -> None:
        shift = 32 - bits
        for number in numbers:
            slot = number >> shift
            slots[slot >> 3] |= 1 << (slot & 7)


# --- bits -----------------------------------------------------------------------------------------------------------


def _checked(bits: int, slots: bytes) -> KeywordTable:
    table = KeywordTable(bits, slots)
    if table.fill > MAX_FILL:
        raise ProtocolError(f"a keyword table that is full to {table.fill:.0%} says nothing")
    return table


def _inflate(data: bytes, length: int) -> bytes:
    """Return exactly `length` bytes; no more are made however well the data was packed."""
    inflater = zlib.decompressobj()
    try:
        slots = inflater.decompress(data, length + 1)
    except zlib.error as error:
        raise ProtocolError(f"a keyword table that cannot be unpacked: {error}") from error
    if len(slots) != length or not inflater.eof or inflater.unused_data:
        raise ProtocolError(f"a keyword table that is not {length} bytes")
    return slots


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "little") ^ int.from_bytes(other, "little")).to_bytes(len(one), "little")


def _spread(nibble: int) -> int:
    """Return eight bits in which each of four is there twice."""
    return sum(0b11 << 2 * bit for bit in range(4) if nibble >> bit & 1)


def _fold(byte: int) -> int:
    """Return four bits, each set when one of its two is."""
    return sum(1 << bit for bit in range(4) if byte >> 2 * bit & 0b11)


_SPREAD_LOW: Final = bytes(_spread(byte & 15) for byte in range(256))
_SPREAD_HIGH: Final = bytes(_spread(byte >> 4) for byte in range(256))
_FOLD_LOW: Final = bytes(_fold(byte) for byte in range(256))
_FOLD_HIGH: Final = bytes(_fold(byte) << 4 for byte in range(256))


def _doubled(slots: bytes) -> bytes:
    out = bytearray(2 * len(slots))
    out[0::2], out[1::2] = slots.translate(_SPREAD_LOW), slots.translate(_SPREAD_HIGH)
    return bytes(out)


def _halved(slots: bytes) -> bytes:
    low = int.from_bytes(slots[0::2].translate(_FOLD_LOW), "little")
    high = int.from_bytes(slots[1::2].translate(_FOLD_HIGH), "little")
    return (low | high).to_bytes(len(slots) // 2, "little")
