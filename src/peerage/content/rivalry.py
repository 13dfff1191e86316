"""What sources owe, and when one of them takes over what another owes.

Invariant: a flight knows the sources that owe it, a source knows the flights that it owes, and the two agree. A piece
changes hands only when the new source will have it in less than half the time of the old one, so it never wanders back
and forth. Who gets missing pieces is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from math import inf
from typing import Final

import msgspec

from peerage.content.pace import Pace
from peerage.content.picker import Holder
from peerage.identity.keys import PeerId
from peerage.limits import MAX_COPIES, SILENT_SECONDS

SourceId = PeerId
"""Who a source is, for the shell: its peer id."""

_GAIN: Final = 2.0  # how many times sooner a piece must come from a new source
_REST: Final = 0.1  # seconds after a look round that found nothing: a look costs time for each source
_LOOK_AT: Final = 32  # pieces of each source, so that a look at all of them stays short


class Request(msgspec.Struct, frozen=True, gc=False):
    """Ask for this piece; when it was taken over from a source that is too slow, cancel it there."""

    index: int
    length: int
    stolen_from: SourceId | None = None


class Cancel(msgspec.Struct, frozen=True, gc=False):
    """Tell this source that it need not send this piece any more."""

    source: SourceId
    index: int


class Tick(msgspec.Struct, frozen=True):
    """What time has brought: sources that send nothing (to be dropped), and sources to ask `next_requests` for."""

    stalled: tuple[SourceId, ...]
    ready: tuple[SourceId, ...]


class Flight:
    """A piece on its way: the sources that owe it, or `checking` while a copy that came is verified and stored."""

    __slots__ = ("checking", "length", "sources")

    def __init__(self, length: int) -> None:
        self.length = length
        self.sources: list[Source] = []
        self.checking = False


class Source:
    """What one source owes, oldest first, and how it has behaved."""

    __slots__ = (
        "_heard",
        "_silence",
        "holder",
        "id",
        "owed",
        "pace",
        "partial",
        "pending",
        "queued",
        "rest_until",
        "told",
    )

    def __init__(self, source_id: SourceId, holder: Holder) -> None:
        self.id = source_id
        self.holder = holder
        self.owed: dict[int, int] = {}
        self.pending = 0  # bytes owed
        self.partial = 0  # bytes of pieces on their way that are counted in the pace already
        self.pace = Pace()
        self.queued = False
        self.told = False  # it was reported as stalled
        self.rest_until = 0.0  # before that it looks for nothing to take over
        self._heard = 0.0  # when something came last, while it owes
        self._silence = 0.0  # how long nothing had come when it was last forgiven all it owed

    def owe(self, index: int, length: int, now: float) -> None:
        """Note that it was asked for a piece. Being forgiven a debt does not make a silent source new again."""
        if not self.owed:
            self._heard = now - self._silence
            self.pace.start(now)
        self.owed[index] = length
        self.pending += length

    def hear(self, count: int, now: float) -> None:
        """Note that bytes came; that some piece is whole (0) says nothing about when the next bytes come."""
        self.pace.add(count, now)
        self._heard, self._silence = now, 0.0
        self.told = False
        self.queued = self.queued and not count

    def hear_piece(self, length: int, now: float) -> None:
        """Note that a piece is whole, of which some bytes may have been counted on their way."""
        self.hear(max(0, length - self.partial), now)
        self.partial = max(0, self.partial - length)

    def delivered(self, index: int, now: float) -> None:
        """Note that a piece which it owed is here."""
        length = self.owed.pop(index)
        self.hear_piece(length, now)
        self._settle(length, now)

    def forgive(self, index: int, now: float) -> None:
        """Note that it need not send a piece."""
        self._settle(self.owed.pop(index), now)

    def owed_up_to(self, index: int) -> int:
        """Return how many bytes come until a piece that it owes is whole."""
        count = 0
        for owed, length in self.owed.items():
            count += length
            if owed == index:
                break
        return count

    def silence(self, now: float) -> float:
        """Return for how many seconds it has sent nothing of what it owed."""
        return now - self._heard if self.owed else self._silence

    def is_silent(self, now: float) -> bool:
        """Say whether nothing can be expected of it now."""
        return self.queued or (now - self._heard if self.owed else self._silence) > SILENT_SECONDS

    def _settle(self, length: int, now: float) -> None:
        self.pending -= length
        if not self.owed:
            self._silence = now - self._heard
            self.pace.stop(now)


class Rivalry:
    """Compares sources, to find the piece that one of them should take over from another."""

    def __init__(self, sources: Mapping[SourceId, Source], flights: Mapping[int, Flight]) -> None:
        self._sources = sources
        self._flights = flights

    def theft_for(self, thief: Source, now: float) -> tuple[Source, int] | None:
        """Return whom to take which piece from, as it would come much sooner: the last one that the slowest owes.

        What a source sends right now stays with it, unless it is silent.
        """
        if now < thief.rest_until:
            return None
        for victim, seconds in self._victims(thief, now):
            first = next(iter(victim.owed))
            for index in islice(reversed(victim.owed), _LOOK_AT):
                flight = self._flights[index]
                if seconds < inf and (len(flight.sources) > 1 or index == first):
                    continue
                if self._is_open_to(thief, index, flight):
                    if self._gains(thief, victim, flight.length, seconds, now):
                        return victim, index
                    break
        thief.rest_until = now + _REST
        return None

    def copy_for(self, thief: Source, now: float) -> int | None:
        """Return a piece to ask for a second time, at the end of a download: the next one that the slowest owes."""
        for victim, _ in self._victims(thief, now):
            if (index := self._first_late(islice(victim.owed, _LOOK_AT), thief, now)) is not None:
                return index
        return None

    def urgent_copy_for(self, thief: Source, urgent: Iterable[int], now: float) -> int | None:
        """Return a piece to ask for a second time because a reader waits for it: the first of these that is late."""
        return None if thief.is_silent(now) else self._first_late(urgent, thief, now)

    def _first_late(self, indices: Iterable[int], thief: Source, now: float) -> int | None:
        for index in indices:
            flight = self._flights[index]
            if 0 < len(flight.sources) < MAX_COPIES and self._is_open_to(thief, index, flight):
                victim = flight.sources[0]
                ahead = victim.owed_up_to(index)
                if self._gains(thief, victim, flight.length, self._seconds(victim, ahead, now), now):
                    return index
        return None

    def _victims(self, thief: Source, now: float) -> Iterator[tuple[Source, float]]:
        """Yield who owes something, and for how long it will, the slowest first; nobody to a thief that is silent."""
        if thief.is_silent(now):
            return
        owing = [
            (self._seconds(source, source.pending, now), source) for source in self._sources.values() if source.owed
        ]
        for seconds, source in sorted(owing, key=lambda pair: pair[0], reverse=True):
            if source is not thief and seconds:
                yield source, seconds

    def _seconds(self, source: Source, count: int, now: float) -> float:
        """Return in how many seconds a source will have sent so many bytes; 0 when nobody knows yet."""
        if source.is_silent(now):
            return inf
        rate = source.pace.rate(now)
        return count / rate if rate else 0.0

    def _gains(self, thief: Source, victim: Source, length: int, seconds: float, now: float) -> bool:
        """Say whether a piece comes much sooner than in so many seconds; one never measured is like its victim."""
        rate = thief.pace.rate(now) or victim.pace.rate(now)
        return seconds == inf or (rate is not None and seconds > _GAIN * (thief.pending + length) / rate)

    def _is_open_to(self, thief: Source, index: int, flight: Flight) -> bool:
        return not flight.checking and thief not in flight.sources and thief.holder.holds(index)
