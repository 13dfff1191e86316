"""Which of the matching records comes first.

Invariant: the order depends on the query and the records alone. There are no word statistics in it: counting a common
word through a million records costs more than the whole search, and names of files are short enough without.
"""

from __future__ import annotations

from collections.abc import Iterable

from peerage.catalogue.query import AnyOf, Query, Words, occurs
from peerage.catalogue.record import Kind, Record
from peerage.catalogue.text import search_words


def rank(query: Query, records: Iterable[Record]) -> list[Record]:
    """Put first what has more of the words in its name, then fewer other words there, then folders, then the newer."""
    return sorted(records, key=lambda record: _distance(query, record))


def _distance(query: Query, record: Record) -> tuple[int, int, bool, int, bytes]:
    name = search_words(record.name)
    in_name = sum(_in_name(group, name) for group in query.wanted)
    return (-in_name, len(name) - in_name, record.kind is Kind.FILE, -record.issued, record.content)


def _in_name(group: AnyOf, name: list[str]) -> bool:
    return any(isinstance(term, Words) and occurs(term, name) for term in group.terms)
