"""Queries to SQL: an FTS5 MATCH expression for the words, conditions on table `records` for the rest.

Invariant: SQL text here is made of constants only; everything that was typed travels as a parameter, and the words of a
MATCH expression are folded letters and digits inside quotation marks. Answers equal `Query.matches`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from peerage.catalogue.query import (
    AnyOf,
    DurationIs,
    ExtensionIs,
    Filter,
    HolderIs,
    MimeIs,
    Query,
    SizeIs,
    Term,
    TypeIs,
    Words,
)

# For words beside filters in one OR, and for exclusions where no wanted word leads the way: asks the index for one row.
_ROW_MATCHES: Final = "EXISTS (SELECT 1 FROM word_index WHERE word_index MATCH ? AND word_index.rowid = records.id)"

Parameter = str | int | float | bytes


class Condition(msgspec.Struct, frozen=True):
    """A piece of SQL that is true or false for a row of `records`, never NULL, and its parameters."""

    sql: str
    parameters: tuple[Parameter, ...]


class Compiled(msgspec.Struct, frozen=True):
    """A query for the database: rows that fit `match` (None: all rows) and all `conditions`."""

    match: str | None
    conditions: tuple[Condition, ...]


def compile_query(query: Query) -> Compiled:
    """Return the query as SQL."""
    led = [group for group in query.wanted if _only_words(group)]
    others = [group for group in query.wanted if not _only_words(group)]
    conditions = [_any_of(group) for group in others]
    match = " AND ".join(_match_group(group) for group in led) or None
    for term in query.unwanted:
        if match is not None and isinstance(term, Words):
            match = f"({match}) NOT {_match_words(term)}"
        else:
            condition = _condition(term)
            conditions.append(Condition(f"NOT {condition.sql}", condition.parameters))
    return Compiled(match, tuple(conditions))


def _only_words(group: AnyOf) -> bool:
    return all(isinstance(term, Words) for term in group.terms)


def _match_group(group: AnyOf) -> str:
    return "(" + " OR ".join(_match_words(term) for term in group.terms if isinstance(term, Words)) + ")"


def _match_words(term: Words) -> str:
    """Return an FTS5 phrase; search words hold no quotation marks, yet doubling them costs nothing."""
    phrase = " ".join(term.words).replace('"', '""')
    return f'"{phrase}" *' if term.prefix else f'"{phrase}"'


def _any_of(group: AnyOf) -> Condition:
    conditions = [_condition(term) for term in group.terms]
    sql = " OR ".join(condition.sql for condition in conditions)
    return Condition(f"({sql})", tuple(value for condition in conditions for value in condition.parameters))


def _condition(term: Term) -> Condition:
    if isinstance(term, Words):
        return Condition(_ROW_MATCHES, (_match_words(term),))
    return _filter(term)


def _filter(term: Filter) -> Condition:
    match term:
        case TypeIs(media_type):
            return Condition("records.media_type = ?", (media_type.value,))
        case MimeIs(mime):
            return Condition("records.mime = ?", (mime,))
        case ExtensionIs(extension):
            return Condition("records.extension = ?", (extension,))
        case SizeIs(comparison, size):
            return Condition(f"records.size {comparison.value} ?", (size,))
        case DurationIs(comparison, seconds):
            return Condition(f"(records.duration > 0 AND records.duration {comparison.value} ?)", (seconds,))
        case HolderIs(peer_id):
            return Condition(
                "records.holder = ifnull((SELECT id FROM holders WHERE peer_id = ?), -1)", (bytes(peer_id),)
            )
