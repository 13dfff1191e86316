"""Which bytes of a file an HTTP request asks for (RFC 9110, sections 13 and 14).

Invariant: whatever the headers say, the outcome is a stretch inside the file, the whole of it, or a plain no; several
ranges in one request are answered with the whole file, as the RFC allows. An entity tag here is always a strong one.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_RANGE: Final = re.compile(r"bytes=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*")


class Span(NamedTuple):
    """Bytes from `start` up to, not including, `stop`; `partial`: they were asked for, not the whole."""

    start: int
    stop: int
    partial: bool = True


class UnsatisfiableError(Exception):
    """The file has no such bytes."""


class Conditions(NamedTuple):
    """The headers of a request that decide, "" where it has none."""

    range: str = ""
    if_range: str = ""
    if_none_match: str = ""


def span_of(conditions: Conditions, size: int, etag: str) -> Span:
    """Return which bytes to send; raises UnsatisfiableError when a range lies outside the file."""
    whole = Span(0, size, partial=False)
    found = _RANGE.fullmatch(conditions.range.strip().lower())
    if found is None or (conditions.if_range and conditions.if_range.strip() != etag):
        return whole
    first, last = found.groups()
    if first:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < int(first):
            return whole  # not a range at all
    elif last:
        start, stop = max(0, size - int(last)), size
    else:
        return whole
    if start >= stop:
        raise UnsatisfiableError
    return Span(start, stop)


def is_known(conditions: Conditions, etag: str) -> bool:
    """Whether the client has this very content already."""
    named = {each.strip().removeprefix("W/") for each in conditions.if_none_match.split(",")}
    return "*" in named or etag in named
