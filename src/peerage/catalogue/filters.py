"""The filters of a query: `type:`, `ext:`, `size:`, `duration:` and `from:`.

Invariant: a value that is not understood is a FilterError with a sentence that says what would be; no filter guesses.
Positions in the text are the parser's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from peerage.catalogue.media_type import MAX_EXTENSION_CHARS, MediaType
from peerage.catalogue.query import Comparison, DurationIs, ExtensionIs, Filter, HolderIs, MimeIs, SizeIs, TypeIs
from peerage.errors import AddressError
from peerage.identity.keys import PeerId, parse_id

_COMPARED: Final = re.compile(r"(?P<sign><=|>=|<|>|=)(?P<value>.+)")
_SIZE: Final = re.compile(r"(?P<number>\d{1,18}(?:\.\d{1,6})?)(?P<unit>[kmgtp]?i?b?)", re.IGNORECASE | re.ASCII)
_DURATION: Final = re.compile(
    r"(?:(?P<h>\d{1,6})h)?(?:(?P<m>\d{1,8})m(?:in)?)?(?:(?P<s>\d{1,9}(?:\.\d{1,6})?)s?)?", re.IGNORECASE | re.ASCII
)
_CLOCK: Final = re.compile(r"(?:(?P<h>\d{1,6}):)?(?P<m>\d{1,3}):(?P<s>\d\d)", re.ASCII)
_POWERS: Final = "kmgtp"
_MIME: Final = re.compile(r"[a-z0-9.+_-]+/[a-z0-9.+_-]+")
_MAX_SIZE: Final = 2**62


class FilterError(ValueError):
    """A filter is not understood; `about_name` when its name is the trouble."""

    def __init__(self, reason: str, *, about_name: bool = False) -> None:
        super().__init__(reason)
        self.about_name = about_name


def parse_filter(name: str, value: str) -> Filter:
    """Read the filter `name:value`, the name in lower case; raises FilterError."""
    reader = _READERS.get(name)
    if reader is None:
        raise FilterError(
            f"there is no filter {name}: (there are {', '.join(_READERS)}); to look for the text, put it in quotes",
            about_name=True,
        )
    return reader(value)


def _type(value: str) -> TypeIs | MimeIs:
    wanted = value.lower()
    if _MIME.fullmatch(wanted):
        return MimeIs(wanted)
    try:
        return TypeIs(MediaType(wanted))
    except ValueError as error:
        raise FilterError(f"the types are {', '.join(MediaType)}, or a MIME type such as audio/flac") from error


def _extension(value: str) -> ExtensionIs:
    wanted = value.removeprefix(".").casefold()
    if not wanted or len(wanted) > MAX_EXTENSION_CHARS or "." in wanted:
        raise FilterError("an extension looks like ext:flac")
    return ExtensionIs(wanted)


def _size(value: str) -> SizeIs:
    comparison, amount = _compared(value, "size:>10MB or size:<=700MiB")
    match = _SIZE.fullmatch(amount)
    if match is None:
        raise FilterError("a size looks like 500, 10kB, 1.5MB or 2GiB")
    unit = match["unit"].lower()
    power = _POWERS.find(unit[0]) + 1 if unit else 0
    size = round(float(match["number"]) * (1024 if "i" in unit else 1000) ** power)
    return SizeIs(comparison, min(size, _MAX_SIZE))


def _duration(value: str) -> DurationIs:
    comparison, amount = _compared(value, "duration:<5m or duration:>1h30m")
    match = _CLOCK.fullmatch(amount) or _DURATION.fullmatch(amount)
    if match is None or not any(match.groups()):
        raise FilterError("a duration looks like 90s, 5m, 1h30m or 3:45")
    hours, minutes, seconds = (float(match[unit] or 0) for unit in "hms")
    return DurationIs(comparison, hours * 3600 + minutes * 60 + seconds)


def _holder(value: str) -> HolderIs:
    try:
        return HolderIs(PeerId(parse_id(value)))
    except AddressError as error:
        raise FilterError(str(error)) from error


def _compared(value: str, example: str) -> tuple[Comparison, str]:
    match = _COMPARED.fullmatch(value)
    if match is None:
        raise FilterError(f"say whether more or less: {example}")
    return Comparison(match["sign"]), match["value"]


_READERS: Final[Mapping[str, Callable[[str], Filter]]] = {
    "type": _type,
    "ext": _extension,
    "size": _size,
    "duration": _duration,
    "from": _holder,
}
FILTER_NAMES: Final = frozenset(_READERS)
