"""Which missing piece a source is asked for next: the order, nothing else.

Invariant: a run (eight neighbouring pieces, one byte of a bitmap) is open, in exactly one mask, while it has missing
pieces, and closed otherwise. Runs go by priority; then those nobody works on before those somebody does; then the
rarest; then at random, so that downloaders differ; within a run at random too, but for a reader's. What everyone has
(a complete source) says nothing about rarity. It knows nothing of requests, time or bytes.

Masks are whole numbers with a bit for each run: one `&` finds what a source can give among all runs of one level,
32 KB at the most (two million pieces). "Rarest first" is studied in Legout, Urvoy-Keller and Michiardi, IMC 2006.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from enum import IntEnum
from functools import reduce
from itertools import repeat
from operator import add, or_, sub
from random import Random
from typing import Final

from peerage.content.bitmap import Bitmap

RUN: Final = 8
_CLAIMED: Final = 11  # after the rarity levels 0 to 10: 0, 1, 2-3, 4-7, ... copies in the run, of 800 at the most
_LEVELS: Final = 12
_CLOSED: Final = 255
_BITS: Final = tuple(tuple(bit for bit in range(RUN) if byte >> bit & 1) for byte in range(256))
_ANY: Final = b"0" + b"1" * 255  # a digit that says whether a byte has any bit
_COUNT: Final = bytes(byte.bit_count() for byte in range(256))
_DICE: Final = 512
_NONE: Final = -1
_ALL: Final = -1  # every bit of a mask of any length


class Priority(IntEnum):
    """How much a piece is wanted; NOW is for the position of a reader, and goes in order instead of rarest first."""

    SKIP = 0
    LOW = 1
    NORMAL = 2
    HIGH = 3
    NOW = 4


class Holder:
    """What one source has: a bitmap, or everything; `worth` are the runs that may still hold something to ask for."""

    __slots__ = ("has", "run", "worth")

    def __init__(self, has: Bitmap | None) -> None:
        self.has = None if has is not None and has.is_full() else has
        self.worth = _ALL
        self.run = _NONE

    def holds(self, index: int) -> bool:
        """Say whether the source has that piece."""
        return self.has is None or index in self.has


class Picker:
    """The missing pieces of one download, in the order in which they are wanted."""

    def __init__(self, count: int, rng: Random) -> None:
        self._rng = rng
        self._dice = bytearray()
        self._runs = (count + RUN - 1) // RUN
        self._missing = bytearray(self._runs)
        self._priorities = bytearray(count)
        self._copies = array("I", bytes(4 * self._runs))  # of the pieces of each run, at incomplete sources
        self._partial: set[Holder] = set()
        self._mixed: set[int] = set()  # runs whose pieces differ in priority
        self._priority = bytearray(self._runs)
        self._level = bytearray(self._runs)
        self._masks = [[0] * _LEVELS for _ in Priority]

    def reset(self, missing: Bitmap, priorities: bytearray, holders: Iterable[Holder]) -> None:
        """Start again with these missing pieces, and a priority (not SKIP) for each of them."""
        self._missing = bytearray(missing.to_bytes())
        self._priorities = priorities
        self._mixed.clear()
        if priorities.count(priorities[:1]) != len(priorities):
            chunks = (priorities[at : at + RUN] for at in range(0, len(priorities), RUN))
            self._mixed.update(run for run, chunk in enumerate(chunks) if chunk.count(chunk[0]) != len(chunk))
        for holder in holders:
            holder.run, holder.worth = _NONE, self._worth(holder)
        level, closed = self._rarity, _CLOSED
        self._level = bytearray(level(run) if bits else closed for run, bits in enumerate(self._missing))
        self._priority = bytearray(self._highest(run) if bits else 0 for run, bits in enumerate(self._missing))
        self._rebuild_masks()

    def add(self, holder: Holder) -> None:
        """Count what a new source has."""
        holder.worth = self._worth(holder)
        self._count(holder, 1)

    def remove(self, holder: Holder) -> None:
        """Forget a source."""
        self._release(holder)
        self._count(holder, -1)

    def gained(self, holder: Holder, index: int) -> None:
        """Note that a source has one piece more."""
        if holder.has is None or index in holder.has:
            return
        holder.has.add(index)
        holder.worth |= 1 << index // RUN
        self._copies[index // RUN] += 1
        self._rank(index // RUN)

    def lost(self, holder: Holder, index: int) -> None:
        """Note that a source does not have a piece after all."""
        if holder.has is None:
            holder.has = Bitmap.full(len(self._priorities))
            self._count(holder, 1)
        if index in holder.has:
            holder.has.discard(index)
            self._copies[index // RUN] -= 1
            self._rank(index // RUN)

    def put_back(self, index: int) -> None:
        """Note that a piece is missing again."""
        run = index // RUN
        self._missing[run] |= 1 << index % RUN
        level = self._level[run]
        self._place(run, self._highest(run), self._rarity(run) if level == _CLOSED else level)
        for holder in self._partial:
            if holder.holds(index):
                holder.worth |= 1 << run

    def changed(self, index: int) -> None:
        """Note that the priority of one piece is another now; it is not, and does not become, SKIP."""
        run = index // RUN
        chunk = self._priorities[run * RUN : (run + 1) * RUN]
        (self._mixed.discard if chunk.count(chunk[0]) == len(chunk) else self._mixed.add)(run)
        if self._level[run] != _CLOSED:
            self._place(run, self._highest(run), self._level[run])

    def take(self, holder: Holder) -> int | None:
        """Choose the missing piece to ask this source for; from now on it is not missing. None: it has none."""
        for priority in (Priority.NOW, Priority.HIGH, Priority.NORMAL, Priority.LOW):
            run = self._find(holder, priority)
            if run != _NONE:
                return self._take_from(holder, run, priority)
        return None

    def _find(self, holder: Holder, priority: Priority) -> int:
        """Return the run to go on with at this priority."""
        row = self._masks[priority]
        if priority is Priority.NOW:
            return self._search(holder, reduce(or_, row), 0)
        run = holder.run
        if run != _NONE and self._priority[run] == priority and self._useful(holder, run):
            return run
        start = int(self._rng.random() * self._runs) if any(row) else 0
        for mask in row:
            if mask and (run := self._search(holder, mask, start)) != _NONE:
                return run
        return _NONE

    def _search(self, holder: Holder, mask: int, start: int) -> int:
        """Return the first run of a mask, from `start` on and round, in which the source has a missing piece."""
        mask &= holder.worth
        while mask:
            high = mask >> start
            run = start + (high & -high).bit_length() - 1 if high else (mask & -mask).bit_length() - 1
            if self._useful(holder, run):
                return run
            mask ^= 1 << run
            holder.worth &= ~(1 << run)  # not looked at again until something comes back to it
        return _NONE

    def _worth(self, holder: Holder) -> int:
        """Return the mask of the runs in which a source has a missing piece."""
        if holder.has is None:
            return _ALL
        both = int.from_bytes(holder.has.to_bytes(), "little") & int.from_bytes(self._missing, "little")
        return _mask_of(both.to_bytes(self._runs, "little").translate(_ANY))

    def _useful(self, holder: Holder, run: int) -> int:
        """Return the bits of the missing pieces of a run that the source has."""
        bits = self._missing[run]
        return bits if holder.has is None else bits & holder.has.run(run)

    def _take_from(self, holder: Holder, run: int, priority: Priority) -> int:
        bits = self._useful(holder, run)
        choice = _BITS[bits]
        bit = choice[0] if priority is Priority.NOW else choice[self._throw() * len(choice) >> 8]
        if run in self._mixed:
            bit = max((b for b in range(RUN) if bits >> b & 1), key=lambda b: (self._priorities[run * RUN + b], -b))
        self._missing[run] ^= 1 << bit
        if not self._missing[run]:
            self._place(run, 0, _CLOSED)
        elif priority is Priority.NOW:
            self._place(run, self._highest(run), self._level[run])
        else:
            self._claim(holder, run)
        return run * RUN + bit

    def _throw(self) -> int:
        """Return a random byte; many are taken at once, as a system's source of randomness costs a call each time."""
        if not self._dice:
            self._dice += self._rng.randbytes(_DICE)
        return self._dice.pop()

    def _claim(self, holder: Holder, run: int) -> None:
        """Let a source go on with a run by itself, as long as there are others to go to."""
        if self._level[run] != _CLAIMED and holder.run != run:
            self._release(holder)
            holder.run = run
        if holder.run == run:
            self._place(run, self._highest(run), _CLAIMED)
        elif run in self._mixed:
            self._place(run, self._highest(run), self._level[run])

    def _release(self, holder: Holder) -> None:
        run, holder.run = holder.run, _NONE
        if run != _NONE and self._level[run] == _CLAIMED:
            self._place(run, self._priority[run], self._rarity(run))

    def _rank(self, run: int) -> None:
        """Move a run to the level of its rarity, unless somebody works on it."""
        if self._level[run] < _CLAIMED:
            self._place(run, self._priority[run], self._rarity(run))

    def _rarity(self, run: int) -> int:
        return min(self._copies[run].bit_length(), _CLAIMED - 1)

    def _highest(self, run: int) -> int:
        """Return the priority of the most wanted missing piece of a run."""
        first = run * RUN
        if run not in self._mixed:
            return self._priorities[first]
        bits = self._missing[run]
        return max(self._priorities[first + bit] for bit in range(RUN) if bits >> bit & 1)

    def _place(self, run: int, priority: int, level: int) -> None:
        """Move a run to another mask, or close it."""
        old = self._level[run]
        if old == level and self._priority[run] == priority:
            return
        bit = 1 << run
        if old != _CLOSED:
            self._masks[self._priority[run]][old] ^= bit
        if level != _CLOSED:
            self._masks[priority][level] ^= bit
        self._level[run], self._priority[run] = level, priority

    def _count(self, holder: Holder, sign: int) -> None:
        """Add what an incomplete source has to the number of copies, or take it off."""
        if holder.has is None:
            return
        (self._partial.add if sign > 0 else self._partial.discard)(holder)
        self._copies = array("I", map(add if sign > 0 else sub, self._copies, holder.has.to_bytes().translate(_COUNT)))
        rarities = map(min, map(int.bit_length, self._copies), repeat(_CLAIMED - 1))
        levels = zip(self._level, rarities, strict=True)
        changed = bytearray(rarity if level < _CLAIMED else level for level, rarity in levels)
        if changed != self._level:
            self._level = changed
            self._rebuild_masks()

    def _rebuild_masks(self) -> None:
        """Make all masks at once; one by one would cost the square of the number of runs."""
        keys = bytes(
            priority * _LEVELS + level if level != _CLOSED else _CLOSED
            for priority, level in zip(self._priority, self._level, strict=True)
        )
        for priority, row in enumerate(self._masks):
            for level in range(_LEVELS):
                key = priority * _LEVELS + level
                digits = b"0" * key + b"1" + b"0" * (255 - key)
                row[level] = _mask_of(keys.translate(digits)) if key in keys else 0


def _mask_of(digits: bytes) -> int:
    """Read a digit, 0 or 1, for each run as one number."""
    return int(digits[::-1], 2) if digits else 0
