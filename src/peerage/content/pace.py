"""How fast a source is: a mean of its recent speed that counts only the time in which it owed something.

Invariant: the mean weighs a byte that came TAU seconds ago 1/e as much as one that came now, and it is right from
the first bytes on, not only after a while. It has no clock of its own.
"""

from __future__ import annotations

from math import exp, expm1
from typing import Final

TAU: Final = 3.0
"""Seconds after which a measurement has lost two thirds of its weight."""


class Pace:
    """A decaying sum of bytes over an equally decaying sum of seconds."""

    __slots__ = ("_bytes", "_running", "_seconds", "_since")

    def __init__(self) -> None:
        self._bytes = 0.0
        self._seconds = 0.0
        self._since = 0.0
        self._running = False

    def start(self, now: float) -> None:
        """Begin to count time, unless that is so already."""
        if not self._running:
            self._running, self._since = True, now

    def stop(self, now: float) -> None:
        """Stop counting time: nothing is owed."""
        self.add(0, now)
        self._running = False

    def add(self, count: int, now: float) -> None:
        """Count bytes that came, evenly since the last time."""
        waited = now - self._since
        if self._running and waited > 0:
            fade = exp(-waited / TAU)
            weight = -TAU * expm1(-waited / TAU)  # of the time that has passed
            self._bytes = self._bytes * fade + count * weight / waited
            self._seconds = self._seconds * fade + weight
            self._since = now
        else:
            self._bytes += count

    def rate(self, now: float) -> float | None:
        """Return bytes a second, or None while nothing has been measured yet."""
        waited = max(0.0, now - self._since) if self._running else 0.0
        fade = exp(-waited / TAU)
        seconds = self._seconds * fade + TAU * (1 - fade)
        return self._bytes * fade / seconds if self._bytes and seconds > 0 else None
