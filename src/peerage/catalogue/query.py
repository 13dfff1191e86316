"""What a search asks for, as a tree, and whether a record answers it.

Invariant: `Query.matches` is the meaning of a query; query_sql.py must find exactly the records for which it is true.
A query has at least one part that is not an exclusion, at most MAX_QUERY_TERMS terms, and every word in it is folded.
Texts are parsed by query_parser.py; ranking is not done here.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from peerage.catalogue.media_type import MediaType
from peerage.catalogue.record import Record
from peerage.identity.keys import PeerId


class Comparison(StrEnum):
    """How a record's number stands to the one in the query; the values are SQL's operators, too."""

    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    EQUAL = "="

    def holds(self, value: float, bound: float) -> bool:
        """Whether `value` stands so to `bound`."""
        if self is Comparison.EQUAL:
            return value == bound
        if value == bound:
            return self in {Comparison.LESS_OR_EQUAL, Comparison.GREATER_OR_EQUAL}
        return (value < bound) == (self in {Comparison.LESS, Comparison.LESS_OR_EQUAL})


class Words(msgspec.Struct, frozen=True):
    """These folded words, next to each other; the last one may be only a beginning."""

    words: tuple[str, ...]
    prefix: bool = False


class TypeIs(msgspec.Struct, frozen=True):
    """The broad class of the media type."""

    media_type: MediaType


class MimeIs(msgspec.Struct, frozen=True):
    """The exact MIME type."""

    mime: str


class ExtensionIs(msgspec.Struct, frozen=True):
    """The extension of the file name, in lower case."""

    extension: str


class SizeIs(msgspec.Struct, frozen=True):
    """The size in bytes."""

    comparison: Comparison
    size: int


class DurationIs(msgspec.Struct, frozen=True):
    """The playing time in seconds; what has none fits no comparison."""

    comparison: Comparison
    seconds: float


class HolderIs(msgspec.Struct, frozen=True):
    """The peer that shares it."""

    peer_id: PeerId


Filter = TypeIs | MimeIs | ExtensionIs | SizeIs | DurationIs | HolderIs
Term = Words | Filter


class AnyOf(msgspec.Struct, frozen=True):
    """At least one of the terms; a group of one is a plain term."""

    terms: tuple[Term, ...]


class Query(msgspec.Struct, frozen=True):
    """Every group of `wanted` and no term of `unwanted`; `text` is what was typed."""

    text: str
    wanted: tuple[AnyOf, ...]
    unwanted: tuple[Term, ...] = ()

    def matches(self, record: Record) -> bool:
        """Whether the record answers the query."""
        words = record.words()
        return all(any(_fits(term, record, words) for term in group.terms) for group in self.wanted) and not any(
            _fits(term, record, words) for term in self.unwanted
        )

    def terms(self) -> tuple[Term, ...]:
        """Return all terms that are looked for."""
        return tuple(term for group in self.wanted for term in group.terms)


def _fits(term: Term, record: Record, words: list[str]) -> bool:  # noqa: PLR0911 - one line for each kind of term
    match term:
        case Words():
            return occurs(term, words)
        case TypeIs(media_type):
            return record.media_type is media_type
        case MimeIs(mime):
            return record.mime == mime
        case ExtensionIs(extension):
            return record.extension == extension
        case SizeIs(comparison, size):
            return comparison.holds(record.size, size)
        case DurationIs(comparison, seconds):
            return record.duration is not None and comparison.holds(record.duration, seconds)
        case HolderIs(peer_id):
            return record.peer_id == peer_id


def occurs(term: Words, words: list[str]) -> bool:
    """Whether the words of the term stand next to each other somewhere in `words`."""
    *whole, last = term.words
    length = len(whole)
    for start in range(len(words) - length):
        end = words[start + length]
        if (end.startswith(last) if term.prefix else end == last) and words[start : start + length] == whole:
            return True
    return False
