"""Hits about the same content as one: its names, its holders, and which of several comes first.

What comes first: what is not known to be bad; of that the best match; of equal matches what more, better known and
livelier peers hold. Holders in one subnet count little, for addresses there are cheap to have.
Invariant: a content has one entry however many peers share it under whatever names, no holder counts twice for a name,
and all lists are bounded. Hits are taken as checked. What is known of holders and contents is passed in. Pure.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from peerage.catalogue.query import AnyOf, Query, Words, occurs
from peerage.catalogue.record import Kind, Record
from peerage.catalogue.text import search_words
from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.limits import HOLDERS_PER_SUBNET, MAX_ADDRESSES, MERGED_CONTENTS, MERGED_HITS
from peerage.overlay.base import Hit
from peerage.peer.subnet import NAMES, subnet_of

_Quality = tuple[int, int]  # smaller is better
_Rank = tuple[bool, _Quality, float, int, bytes]

_MOST_HOLDERS = 64.0  # more say no more about a content, and must not outweigh what is known of it
_REPUTATION_WEIGHT = 6.0  # the best known content counts as much as one that 64 strangers hold


class KnownHolder(msgspec.Struct, frozen=True):
    """A peer that holds a content: what it calls it, where it can be dialled, how far away its answer came from."""

    peer_id: PeerId
    addresses: tuple[Address, ...]
    name: str
    hops: int


class MergedHit(msgspec.Struct, frozen=True):
    """One content: `record` is the one to show, the names and holders are sorted.

    Names: the best match first, of equal ones what more holders call it. Holders: the nearest first. `mine`: this node
    holds it itself, which is not one of the holders.
    """

    record: Record
    names: tuple[str, ...]
    holders: tuple[KnownHolder, ...]
    hops: int  # to the nearest holder
    mine: bool = False

    @property
    def content(self) -> bytes:
        """The content id."""
        return self.record.content

    @property
    def name(self) -> str:
        """The best name."""
        return self.record.name

    @property
    def kind(self) -> Kind:
        """Whether it is a file or a folder."""
        return self.record.kind

    @property
    def size(self) -> int:
        """The size in bytes."""
        return self.record.size


class Judge(msgspec.Struct, frozen=True):
    """What is known of contents and peers.

    `score` of a record goes from -1, known to be bad, over 0, nothing known, to 1, known to be good; `answered` of a
    peer from 0, never met, to 1, it answers now.
    """

    score: Callable[[Record], float] = lambda _record: 0.0
    answered: Callable[[PeerId], float] = lambda _peer_id: 0.0


class HitMerger:
    """Collects the hits of one query of the node `owner`, in any order, from any number of overlays."""

    def __init__(self, query: Query, owner: PeerId | None = None, judge: Judge | None = None) -> None:
        self._query = query
        self._owner = owner
        self._judge = judge or Judge()
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
            group = self._groups[content] = _Group(self._query, self._owner)
        return group.merged() if group.add(hit) else None

    def ranked(self) -> list[MergedHit]:
        """Return all contents, the best first."""
        merged = [(group.rank(self._judge), group.merged()) for group in self._groups.values()]
        merged.sort(key=lambda each: each[0])
        return [each for _, each in merged]


class _Group:
    """The hits about one content."""

    def __init__(self, query: Query, owner: PeerId | None) -> None:
        self._query = query
        self._owner = owner
        self._hits: dict[tuple[bytes, str], Hit] = {}  # by holder's key and name
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

    def merged(self) -> MergedHit:
        """Return the entry."""
        counts = Counter(name for _, name in self._hits)
        names = sorted(counts, key=lambda name: (self._quality[name], -counts[name], name))
        return MergedHit(
            record=self._best_record(names[0]),
            names=tuple(names),
            holders=_nearest_first(self._others()),
            hops=min(hit.hops for hit in self._hits.values()),
            mine=any(hit.holder.peer_id == self._owner for hit in self._hits.values()),
        )

    def rank(self, judge: Judge) -> _Rank:
        """Return what sorts entries, the best first."""
        hits = list(self._hits.values())
        score = sum(max(-1.0, min(judge.score(hit.record), 1.0)) for hit in hits) / len(hits)
        holders = _nearest_first(self._others())
        worth = math.log2(1.0 + min(_independent(holders), _MOST_HOLDERS)) + _REPUTATION_WEIGHT * max(score, 0.0)
        worth += max((judge.answered(holder.peer_id) for holder in holders), default=0.0)
        nearest = min(hit.hops for hit in hits)
        return (score < 0, min(self._quality.values()), -worth, nearest, hits[0].record.content)

    def _others(self) -> Iterable[Hit]:
        return (hit for hit in self._hits.values() if hit.holder.peer_id != self._owner)

    def _best_record(self, name: str) -> Record:
        """Of the records with this name, take the newest of those whose size most holders agree on."""
        sizes = Counter(hit.record.size for hit in self._hits.values())
        records = [hit.record for hit in self._hits.values() if hit.record.name == name]
        return max(records, key=lambda record: (sizes[record.size], record.issued, record.holder))


def _nearest_first(hits: Iterable[Hit]) -> tuple[KnownHolder, ...]:
    """Return each holder once, with all its addresses, and those with addresses before those without."""
    nearest: dict[PeerId, KnownHolder] = {}
    for hit in sorted(hits, key=lambda hit: (not hit.holder.addresses, hit.hops, hit.holder.peer_id, hit.record.name)):
        peer_id, places = hit.holder.peer_id, hit.holder.addresses
        known = nearest.get(peer_id) or KnownHolder(peer_id, places, hit.record.name, hit.hops)
        merged = tuple(dict.fromkeys((*known.addresses, *places)))[:MAX_ADDRESSES]
        nearest[peer_id] = msgspec.structs.replace(known, addresses=merged)
    return tuple(nearest.values())


def _independent(holders: Iterable[KnownHolder]) -> int:
    """Count holders, but no more of one subnet, or of no place, than HOLDERS_PER_SUBNET; all on a local network."""
    subnets = Counter(subnet_of(holder.addresses[0].host) if holder.addresses else NAMES for holder in holders)
    local = subnets.pop("", 0)
    return local + sum(min(count, HOLDERS_PER_SUBNET) for count in subnets.values())


def _quality_of(query: Query, name: str) -> _Quality:
    """Put first the name that has more of the query's words, then the one with fewer others (catalogue/ranking.py)."""
    words = search_words(name)
    found = sum(_is_in(group, words) for group in query.wanted)
    return (-found, len(words) - found)


def _is_in(group: AnyOf, words: list[str]) -> bool:
    return any(isinstance(term, Words) and occurs(term, words) for term in group.terms)
