"""What a download is after: which files of a content, and how much each of them. Pure.

Invariant: a file that `only` leaves out stays out, whatever priority it is given; rules count in their order, the last
that fits a file decides. A single file is a folder of one: its name is that of its target, and `only` is not for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import translate
from itertools import groupby

import msgspec

from peerage.content.ledger import PieceRange
from peerage.content.manifest import FolderManifest, PieceSpace, decode
from peerage.content.picker import Priority
from peerage.errors import LocalError


class Rule(msgspec.Struct, frozen=True, array_like=True):
    """Files that fit this pattern (fnmatch; a folder's name means all in it) have this priority."""

    pattern: str
    priority: Priority


class Choice:
    """What is wanted of one content; raises LocalError when no file of it fits `only`."""

    def __init__(self, space: PieceSpace, name: str, only: str) -> None:
        self.space = space
        manifest = space.manifest
        if isinstance(manifest, FolderManifest):
            self._paths = [file.path for file in manifest.files]
            fits = _fitting(only) if only else None
            chosen = [n for n, path in enumerate(self._paths) if fits is None or fits.fullmatch(path)]
        else:
            self._paths, chosen = [name], [0]
        if only and not chosen:
            raise LocalError(f"no file of {name} fits {only!r}")
        self._chosen = chosen

    def kept(self, rules: Sequence[Rule]) -> frozenset[int]:
        """Return the numbers of the files that are wanted, at whatever priority."""
        return frozenset(file for file, priority in self._priorities(rules) if priority is not Priority.SKIP)

    def ranges(self, rules: Sequence[Rule]) -> list[PieceRange]:
        """Return the priority of every piece."""
        ranges = [PieceRange(0, self.space.count, Priority.SKIP)]
        for priority, files in groupby(self._priorities(rules), key=lambda pair: pair[1]):
            numbers = [file for file, _ in files]
            for first, last in _stretches(numbers):
                start, stop = self.space.pieces_of(first).start, self.space.pieces_of(last).stop
                ranges.append(PieceRange(start, stop, priority))
        return ranges

    def check(self, rules: Sequence[Rule]) -> None:
        """Raise LocalError when these rules leave nothing to fetch, or the last of them fits no file."""
        if rules and not any(_fitting(rules[-1].pattern).fullmatch(self._paths[file]) for file in self._chosen):
            raise LocalError(f"no file that is being downloaded fits {rules[-1].pattern!r}")
        if self._chosen and not self.kept(rules):
            raise LocalError("that would leave nothing to download; pause or cancel it instead")

    def _priorities(self, rules: Sequence[Rule]) -> Iterator[tuple[int, Priority]]:
        """Yield each chosen file with its priority, in order."""
        patterns = [(_fitting(rule.pattern), rule.priority) for rule in reversed(rules)]
        for file in self._chosen:
            path = self._paths[file]
            yield file, next((priority for fits, priority in patterns if fits.fullmatch(path)), Priority.NORMAL)


class Plan(msgspec.Struct, frozen=True):
    """What is known of a download once its manifest is."""

    encoded: bytes
    space: PieceSpace
    choice: Choice


def plan_of(content_id: bytes, encoded: bytes, name: str, only: str) -> Plan:
    """Read a manifest; raises what `decode` does, and LocalError when nothing in it is wanted."""
    space = PieceSpace(decode(encoded, content_id))
    return Plan(encoded, space, Choice(space, name, only))


def _fitting(pattern: str) -> re.Pattern[str]:
    inside = translate(pattern.rstrip("/") + "/*")
    return re.compile(f"(?:{translate(pattern)})|(?:{inside})")


def _stretches(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield first and last of each unbroken stretch of rising numbers."""
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            yield first, last
            first = number
        last = number
    yield first, last
