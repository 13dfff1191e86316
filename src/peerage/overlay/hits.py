"""Hits about the same content as one: its names, its holders, and which of both comes first.

Invariant: a content has one entry however many peers share it under whatever names, no holder counts twice for a name,
and both lists are bounded. Hits are taken as checked; nothing is said about the reputation of holders. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from peerage.catalogue.query import AnyOf, Query, Words, occurs
from peerage.catalogue.record import Kind, Meta, Record
from peerage.catalogue.text import search_words
from peerage.limits import MERGED_CONTENTS, MERGED_HITS
from peerage.overlay.base import Hit, Holder

_Quality = tuple[int, int]  # smaller is better


class MergedHit(msgspec.Struct, frozen=True):
    """One content: `name` and what follows is what the best record says, the names and holders are sorted.

    Names: the best match first, of equal ones what more holders call it. Holders: the nearest first.
    """

    content: bytes
    name: str
    kind: Kind
    size: int
    mime: str
    meta: Meta | None
    names: tuple[str, ...]
    holders: tuple[Holder, ...]
    hops: int  # to the nearest holder


class HitMerger:
    """Collects the hits of one query, in any order, from any number of overlays."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._groups: dict[bytes, _Group] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def add(self, hit: Hit) -> MergedHit | None:
        """Take a hit; return the content's entry as it is now, None when the hit adds nothing or there is no room."""
        content = hit.record.content
        group = self._groups.get(content)
        if group is None:
            if len(self._groups) >= MERGED_CONTENTS:
                return None
            group = self._groups[content] = _Group(self._query)
        return group.merged() if group.add(hit) else None

    def ranked(self) -> list[MergedHit]:
        """Return all contents: the best match first, of equal ones that with more holders, then the nearer."""
        merged = [(group.quality(), group.merged()) for group in self._groups.values()]
        merged.sort(key=lambda each: (each[0], -len(each[1].holders), each[1].hops, each[1].content))
        return [each for _, each in merged]


class _Group:
    """The hits about one content."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._hits: dict[tuple[bytes, str], Hit] = {}  # by holder and name
        self._quality: dict[str, _Quality] = {}  # by name

    def add(self, hit: Hit) -> bool:
        """Take a hit; False when it adds nothing."""
        key = (hit.record.holder, hit.record.name)
        known = self._hits.get(key)
        if known is None and len(self._hits) >= MERGED_HITS:
            return False
        if known is not None and (hit.record.issued, -hit.hops) <= (known.record.issued, -known.hops):
            return False
        self._hits[key] = hit
        if hit.record.name not in self._quality:
            self._quality[hit.record.name] = _quality_of(self._query, hit.record.name)
        return True

    def quality(self) -> _Quality:
        """How well the best name fits the query."""
        return min(self._quality.values())

    def merged(self) -> MergedHit:
        """Return the entry."""
        counts = Counter(name for _, name in self._hits)
        names = sorted(counts, key=lambda name: (self._quality[name], -counts[name], name))
        best = self._best_record(names[0])
        return MergedHit(
            content=best.content,
            name=best.name,
            kind=best.kind,
            size=best.size,
            mime=best.mime,
            meta=best.meta,
            names=tuple(names),
            holders=_nearest_first(self._hits.values()),
            hops=min(hit.hops for hit in self._hits.values()),
        )

    def _best_record(self, name: str) -> Record:
        """Of the records with this name, take the newest of those whose size most holders agree on."""
        sizes = Counter(hit.record.size for hit in self._hits.values())
        records = [hit.record for hit in self._hits.values() if hit.record.name == name]
        return max(records, key=lambda record: (sizes[record.size], record.issued, record.holder))


def _nearest_first(hits: Iterable[Hit]) -> tuple[Holder, ...]:
    """Return each holder once, with addresses rather than without."""
    nearest: dict[bytes, Hit] = {}
    for hit in sorted(hits, key=lambda hit: (not hit.holder.addresses, hit.hops, hit.holder.peer_id)):
        nearest.setdefault(hit.holder.peer_id, hit)
    return tuple(hit.holder for hit in nearest.values())


def _quality_of(query: Query, name: str) -> _Quality:
    """Put first the name that has more of the query's words, then the one with fewer others (catalogue/ranking.py)."""
    words = search_words(name)
    found = sum(_is_in(group, words) for group in query.wanted)
    return (-found, len(words) - found)


def _is_in(group: AnyOf, words: list[str]) -> bool:
    return any(isinstance(term, Words) and occurs(term, words) for term in group.terms)
