"""Which piece is asked of whom, and when: the whole judgement of a download, without its sockets, disk or clock.

Invariant: each piece is in exactly one state: have, in flight, missing or unwanted (`ledger.PieceState`). It leaves
IN_FLIGHT only when it is verified, or when nobody owes it any more; the bytes in flight never exceed `max_in_flight`.
Whatever sources do (lie, stall, leave, return), every wanted piece that a living source
has is asked of it in the end. The shell sends the requests, checks the pieces and drops the sources.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from peerage.content.bitmap import Bitmap
from peerage.content.ledger import Ledger, PieceRange, PieceState, Progress
from peerage.content.manifest import PieceSpace
from peerage.content.picker import Holder, Picker, Priority
from peerage.content.rivalry import Cancel, Flight, Request, Rivalry, Source, SourceId, Tick
from peerage.errors import LimitError, LocalError, ProtocolError
from peerage.limits import (
    MAX_IN_FLIGHT,
    MAX_OWED,
    MAX_SOURCES,
    MAX_WINDOW,
    MIN_WINDOW,
    STALL_SECONDS,
    WINDOW_SECONDS,
)


class Scheduler:
    """The pieces and the sources of one download.

    `have` are the pieces that are already on disk. Times are seconds of one monotonic clock, given with each call.
    """

    def __init__(
        self, space: PieceSpace, rng: Random, *, have: Bitmap | None = None, max_in_flight: int = MAX_IN_FLIGHT
    ) -> None:
        self._space = space
        self._ledger = Ledger(space, have if have is not None else Bitmap(space.count))
        self._picker = Picker(space.count, rng)
        self._sources: dict[SourceId, Source] = {}
        self._flights: dict[int, Flight] = {}
        self._urgent: dict[int, None] = {}  # those in flight that a reader waits for
        self._lifted: dict[int, int] = {}  # pieces that readers wait for, and the priority they have otherwise
        self._rivalry = Rivalry(self._sources, self._flights)
        self._max_in_flight = max(max_in_flight, space.largest_piece)
        self._in_flight_bytes = 0
        self._now = 0.0
        self._share = self._max_in_flight  # bytes that each of the sources may owe
        self._waiting: dict[SourceId, None] = {}  # have room in their window, in the order in which they were asked
        self._returned = False  # pieces came back: all of those may find something
        self._freed = False  # bytes in flight became fewer: some of them may
        self.set_priorities(())

    # --- sources ------------------------------------------------------------------------------------------------

    def add_source(self, source_id: SourceId, has: Bitmap | None = None) -> None:
        """Begin to use a source; `has` is None when it has everything. Raises LimitError beyond MAX_SOURCES."""
        if source_id in self._sources:
            raise LocalError("this source is already in use")
        if len(self._sources) >= MAX_SOURCES:
            raise LimitError("MAX_SOURCES", "ours", f"a download uses {MAX_SOURCES} sources at the most")
        if has is not None and has.size != self._space.count:
            raise LocalError(f"a map of {has.size} pieces for content of {self._space.count}")
        source = Source(source_id, Holder(has.copy() if has is not None else None))
        self._sources[source_id] = source
        self._picker.add(source.holder)
        self._share_out()
        self._waiting[source_id] = None
        self._returned = True

    def source_has(self, source_id: SourceId, indices: Iterable[int]) -> None:
        """Note pieces that a source has got by now; raises ProtocolError where there is no such piece."""
        source = self._sources.get(source_id)
        if source is None:
            return
        for index in indices:
            if not 0 <= index < self._space.count:
                raise ProtocolError(f"a source claims piece {index} of {self._space.count}")
            self._picker.gained(source.holder, index)
        self._returned = True

    def source_lacks(self, source_id: SourceId, index: int) -> None:
        """Note that a source refused a piece that it had claimed to have; it is asked of another."""
        source = self._sources.get(source_id)
        if source is None:
            return
        self._picker.lost(source.holder, index)
        if index in source.owed:
            self._withdraw(source, index)

    def remove_source(self, source_id: SourceId) -> list[int]:
        """Stop using a source; returns the pieces that it owed, which are asked of others."""
        source = self._sources.pop(source_id, None)
        if source is None:
            return []
        self._waiting.pop(source_id, None)
        self._picker.remove(source.holder)
        self._share_out()
        owed = list(source.owed)
        for index in owed:
            self._withdraw(source, index)
        return owed

    def queued(self, source_id: SourceId, now: float) -> list[int]:
        """Note that a source lets us wait in its queue.

        Keeps what it owes us first, for when our turn comes, and returns the rest, to be cancelled there.
        """
        self._now = max(self._now, now)
        source = self._sources.get(source_id)
        if source is None:
            return []
        source.queued = True
        self._share_out()
        rest = list(source.owed)[1:]
        for index in rest:
            self._withdraw(source, index)
        return rest

    def unqueued(self, source_id: SourceId, now: float) -> None:
        """Note that our turn has come at a source: it may be asked for more."""
        self._now = max(self._now, now)
        source = self._sources.get(source_id)
        if source is not None and source.queued:
            source.hear(0, self._now)
            source.queued = False
            self._share_out()
            self._waiting[source_id] = None
            self._returned = True

    # --- the flow of pieces -------------------------------------------------------------------------------------

    def next_requests(self, source_id: SourceId, now: float) -> list[Request]:
        """Fill the window of a source: returns what to ask of it, in this order."""
        self._now = max(self._now, now)
        source = self._sources.get(source_id)
        if source is None:
            return []
        self._waiting.pop(source_id, None)
        requests: list[Request] = []
        window = self._window(source)
        while source.pending < window and len(source.owed) < MAX_OWED:
            request = self._next_request(source)
            if request is None:
                self._waiting[source_id] = None
                break
            requests.append(request)
        return requests

    def progress(self, source_id: SourceId, count: int, now: float) -> None:
        """Note that `count` more bytes of the piece that a source is sending have come; keeps it from stalling."""
        self._now = max(self._now, now)
        source = self._sources.get(source_id)
        if source is not None:
            source.hear(count, self._now)
            source.partial += count

    def received(self, source_id: SourceId, index: int, now: float) -> bool:
        """Note that a whole piece came. True: check it, then call `verified` or `failed`. False: throw it away."""
        self._now = max(self._now, now)
        source = self._sources.get(source_id)
        if source is None:
            return False
        flight = self._flights.get(index)
        if index not in source.owed:
            return self._received_late(source, flight)
        assert flight is not None, "an owed piece is in flight"
        source.delivered(index, self._now)
        flight.sources.remove(source)
        if flight.checking:
            self._add_in_flight(-flight.length)
            return False
        flight.checking = True
        return True

    def verified(self, index: int) -> list[Cancel]:
        """Note that a piece was good and is stored; returns where else it need not be sent any more."""
        flight = self._flights.get(index)
        if flight is None or not flight.checking:
            raise LocalError(f"piece {index} was not received, so it cannot be verified")
        del self._flights[index]
        self._urgent.pop(index, None)
        for source in flight.sources:
            source.forgive(index, self._now)
        self._add_in_flight(-flight.length * (1 + len(flight.sources)))
        self._ledger.store(index, flight.length)
        return [Cancel(source.id, index) for source in flight.sources]

    def failed(self, index: int) -> None:
        """Note that a piece that was received was wrong, or could not be stored; it is asked for again.

        A source that sent a wrong piece is for the shell to remove.
        """
        flight = self._flights.get(index)
        if flight is None or not flight.checking:
            raise LocalError(f"piece {index} was not received, so it cannot have failed")
        flight.checking = False
        self._add_in_flight(-flight.length)
        self._land(index, flight)

    def tick(self, now: float) -> Tick:
        """Look at the clock, about once a second: each stalled source is named once."""
        self._now = max(self._now, now)
        stalled = [
            source.id
            for source in self._sources.values()
            if source.owed and not source.queued and source.silence(self._now) >= STALL_SECONDS and not source.told
        ]
        for source_id in stalled:
            self._sources[source_id].told = True
        self._share_out()
        self._returned = True
        return Tick(tuple(stalled), tuple(self.ready()))

    def ready(self) -> list[SourceId]:
        """Return the sources with room in their window that may find something now; ask `next_requests` for each."""
        if self._returned:
            ready = list(self._waiting)
        elif self._freed:
            room = 1 + (self._max_in_flight - self._in_flight_bytes) // max(1, self._space.largest_piece)
            ready = [source_id for source_id, _ in zip(self._waiting, range(room), strict=False)]
        else:
            ready = []
        self._returned = self._freed = False
        return ready

    # --- what is wanted, and how far it is ----------------------------------------------------------------------

    def set_priorities(self, ranges: Iterable[PieceRange], default: Priority = Priority.NORMAL) -> list[Cancel]:
        """Set the priority of every piece: `default`, then the ranges in order; SKIP leaves pieces out.

        Returns what is on order and need not be sent any more.
        """
        self._ledger.set_priorities(ranges, default)
        wanted, self._lifted = tuple(self._lifted), {}
        for index in wanted:
            self._lift(index)
        skipped = [index for index in self._flights if self._ledger.priorities[index] == Priority.SKIP]
        cancels = [Cancel(source.id, index) for index in skipped for source in self._flights[index].sources]
        for cancel in cancels:
            self._withdraw(self._sources[cancel.source], cancel.index)
        self._urgent = {
            index: None for index in sorted(self._flights) if self._ledger.priorities[index] == Priority.NOW
        }
        holders = (source.holder for source in self._sources.values())
        self._picker.reset(self._ledger.missing(), self._ledger.priorities, holders)
        self._returned = True
        return cancels

    def urge(self, indices: Iterable[int]) -> None:
        """Fetch these pieces first, in their order, for readers wait for them; those of the last call no longer.

        Pieces that are left out (SKIP), or there are not, stay as they are.
        """
        wanted = set(indices)
        for index in [each for each in self._lifted if each not in wanted]:
            self._ledger.priorities[index] = self._lifted.pop(index)
            self._urgent.pop(index, None)
            self._picker.changed(index)
        for index in sorted(wanted - self._lifted.keys()):
            if 0 <= index < self._space.count and self._lift(index):
                self._picker.changed(index)
                if index in self._flights:
                    self._urgent[index] = None
        self._returned = True

    def set_max_in_flight(self, count: int) -> None:
        """Bound the bytes in flight anew; what is in flight already comes to its end."""
        self._max_in_flight = max(count, self._space.largest_piece)
        self._share_out()
        self._returned = True

    @property
    def done(self) -> bool:
        """Say whether every wanted piece is there, and nothing is in flight."""
        return not self._ledger.count(PieceState.MISSING) and not self._flights

    def progress_now(self) -> Progress:
        """Return how far the download is."""
        return self._ledger.progress(self._in_flight_bytes)

    def states(self) -> bytes:
        """Return the states of all pieces, one byte each (`PieceState`)."""
        return self._ledger.states()

    def have(self) -> Bitmap:
        """Return the verified pieces, as a copy: our own piece map."""
        return self._ledger.have.copy()

    def verified_since(self, cursor: int) -> tuple[list[int], int]:
        """Return the pieces verified since a cursor (0 at first), and the cursor for the next time."""
        return self._ledger.verified_since(cursor)

    def has(self, source_id: SourceId) -> Bitmap | None:
        """Return what a source has, as a copy; None when that is everything, or it is none of the sources."""
        source = self._sources.get(source_id)
        return source.holder.has.copy() if source is not None and source.holder.has is not None else None

    def rates(self, now: float) -> dict[SourceId, float]:
        """Return the speed of each source in bytes a second; 0 where none is known."""
        return {source.id: source.pace.rate(now) or 0.0 for source in self._sources.values()}

    # --- inside -------------------------------------------------------------------------------------------------

    def _lift(self, index: int) -> bool:
        """Let a piece go before all others, and remember what it was worth before; not when it is left out."""
        before = self._ledger.priorities[index]
        if before != Priority.SKIP:
            self._lifted[index] = before
            self._ledger.priorities[index] = Priority.NOW
        return before != Priority.SKIP

    def _next_request(self, source: Source) -> Request | None:
        if self._in_flight_bytes + self._space.largest_piece > self._max_in_flight:
            return self._steal(source) if not source.pending else None
        if self._urgent and (copy := self._rivalry.urgent_copy_for(source, self._urgent, self._now)) is not None:
            return self._ask(source, copy, self._flights[copy])
        index = self._picker.take(source.holder)
        if index is not None:
            return self._ask(source, index, self._take_off(index))
        request = self._steal(source)
        if request is None and not source.pending and not self._ledger.count(PieceState.MISSING):
            last = self._rivalry.copy_for(source, self._now)
            request = self._ask(source, last, self._flights[last]) if last is not None else None
        return request

    def _take_off(self, index: int) -> Flight:
        self._ledger.take_off(index)
        if self._ledger.priorities[index] == Priority.NOW:
            self._urgent[index] = None
        flight = self._flights[index] = Flight(self._space.length_of(index))
        return flight

    def _ask(self, source: Source, index: int, flight: Flight, stolen_from: SourceId | None = None) -> Request:
        flight.sources.append(source)
        source.owe(index, flight.length, self._now)
        self._add_in_flight(flight.length)
        return Request(index, flight.length, stolen_from)

    def _steal(self, thief: Source) -> Request | None:
        theft = self._rivalry.theft_for(thief, self._now)
        if theft is None:
            return None
        victim, index = theft
        flight = self._flights[index]
        flight.sources.remove(victim)
        victim.forgive(index, self._now)
        self._waiting[victim.id] = None
        self._add_in_flight(-flight.length)
        return self._ask(thief, index, flight, victim.id)

    def _received_late(self, source: Source, flight: Flight | None) -> bool:
        """Take a piece that was cancelled while it was on its way, when it is still of use."""
        source.hear(0, self._now)
        if flight is None or flight.checking or self._in_flight_bytes + flight.length > self._max_in_flight:
            return False
        source.hear_piece(flight.length, self._now)
        flight.checking = True
        self._add_in_flight(flight.length)
        return True

    def _withdraw(self, source: Source, index: int) -> None:
        """Ask a source no longer for a piece that it owes."""
        flight = self._flights[index]
        source.forgive(index, self._now)
        flight.sources.remove(source)
        self._add_in_flight(-flight.length)
        self._land(index, flight)

    def _land(self, index: int, flight: Flight) -> None:
        """Put a piece back that is owed by nobody any more."""
        if flight.sources or flight.checking:
            return
        del self._flights[index]
        self._urgent.pop(index, None)
        if self._ledger.put_back(index, flight.length):
            self._picker.put_back(index)
            self._returned = True

    def _window(self, source: Source) -> int:
        """Return how many bytes a source may owe: it is asked for more while it owes less than that."""
        if source.queued:
            return 1
        rate = source.pace.rate(self._now)
        window = min(max(int((rate or 0.0) * WINDOW_SECONDS), MIN_WINDOW, 2 * self._space.largest_piece), MAX_WINDOW)
        return min(window, self._share)

    def _share_out(self) -> None:
        """Divide the bytes in flight among the sources that send something."""
        active = sum(not source.is_silent(self._now) for source in self._sources.values())
        self._share = max(self._max_in_flight // max(active, 1), 1)

    def _add_in_flight(self, length: int) -> None:
        self._in_flight_bytes += length
        self._freed = self._freed or length < 0
