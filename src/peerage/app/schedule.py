"""When the slower speed limits hold: hours of the week, in local time, as their owner writes them. Pure.

Hours are texts such as "mon-fri 08:00-18:00", "sat,sun 10-12", "22:30-06:00" (every day) or "fri 20:00-24:00"; a time
before the one it begins with is on the next day, and Sunday goes on with Monday.

Invariant: the time is given as a minute of the week, 0 at Monday 00:00; the hours hold from their first minute up to,
and not with, their last. Which limits these are, and what time it is, is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from peerage.errors import ConfigError

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_HOURS: Final = 7 * 24 * 2
"""Entries at most: every other half hour of a week, and as many again."""

DAY: Final = 24 * 60
WEEK: Final = 7 * DAY

_ENTRY: Final = re.compile(
    r"(?:(?P<days>[a-z,\- ]+?)\s+)?(?P<begin>\d{1,2}(?::\d\d)?)\s*-\s*(?P<end>\d{1,2}(?::\d\d)?)", re.ASCII
)
_EVERY_DAY: Final = frozenset({"daily", "every day", "mon-sun"})


class Standing(NamedTuple):
    """Whether the slower limits hold, and how many minutes until that changes; None when it never does."""

    slow: bool
    minutes_left: float | None


class Hours:
    """All the hours together; raises ConfigError for a text that is none."""

    def __init__(self, texts: Sequence[str]) -> None:
        if len(texts) > MAX_HOURS:
            raise ConfigError(f"there are more than {MAX_HOURS} entries in the schedule")
        spans = sorted(span for text in texts for span in _spans(text))
        self._spans: list[tuple[int, int]] = []
        for begin, end in spans:
            if self._spans and begin <= self._spans[-1][1]:
                last_begin, last_end = self._spans[-1]
                self._spans[-1] = (last_begin, max(last_end, end))
            else:
                self._spans.append((begin, end))

    def at(self, minute: float) -> Standing:
        """Return how it stands at a minute of the week, which may have a fraction."""
        if not self._spans or self._spans == [(0, WEEK)]:
            return Standing(bool(self._spans), None)
        edges = sorted({edge % WEEK for span in self._spans for edge in span if not self._is_seam(edge % WEEK)})
        following = next((edge for edge in edges if edge > minute), edges[0] + WEEK)
        return Standing(self._holds(minute), following - minute)

    def _holds(self, minute: float) -> bool:
        return any(begin <= minute < end for begin, end in self._spans)

    def _is_seam(self, edge: int) -> bool:
        """Whether nothing changes at Monday 00:00, as Sunday's hours go on there."""
        return edge == 0 and self._spans[0][0] == 0 and self._spans[-1][1] == WEEK


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield the minutes of the week that an entry means, none of them beyond its end."""
    match = _ENTRY.fullmatch(text.strip().lower()) if len(text) <= 100 else None
    if match is None:
        raise _no_hours(text)
    begin, end = _minute(match["begin"], text), _minute(match["end"], text)
    if begin in {end, DAY}:
        raise ConfigError(f"{text!r} in the schedule is no time at all; a whole day is 00:00-24:00")
    length = end - begin if end > begin else end + DAY - begin
    for day in _days(match["days"] or "daily", text):
        start = day * DAY + begin
        yield start, min(start + length, WEEK)
        if start + length > WEEK:
            yield 0, start + length - WEEK


def _days(said: str, text: str) -> Iterator[int]:
    if said.strip() in _EVERY_DAY:
        yield from range(7)
        return
    for part in said.split(","):
        first, dash, last = (each.strip() for each in part.partition("-"))
        if first not in DAYS or (dash and last not in DAYS):
            raise _no_hours(text)
        start, stop = DAYS.index(first), DAYS.index(last) if dash else DAYS.index(first)
        yield from (day % 7 for day in range(start, stop + 1 if stop >= start else stop + 8))


def _minute(said: str, text: str) -> int:
    hour, _, minute = said.partition(":")
    total = 60 * int(hour) + int(minute or 0)
    if total > DAY or int(minute or 0) > 59:
        raise _no_hours(text)
    return total


def _no_hours(text: str) -> ConfigError:
    return ConfigError(f'{text[:100]!r} is no entry of a schedule; write "mon-fri 08:00-18:00" or "22:00-06:00"')
