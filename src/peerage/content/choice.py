"""What a download is after: which files of a content, and how much each of them. Pure.

Invariant: a file that `only` leaves out stays out, whatever priority it is given; rules count in their order, the last
that fits a file decides. A single file is a folder of one: its name is that of its target, and `only` is not for it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import translate
from itertools import groupby

import msgspec

from peerage.content.ledger import PieceRange
from peerage.content.manifest import FolderManifest, PieceSpace, decode
from peerage.content.picker import Priority
from peerage.errors import LocalError


class Rule(msgspec.Struct, frozen=True, array_like=True):
    """Files that fit this pattern (fnmatch; a folder's name means all in it) have this priority.

    With `files`, stretches of file numbers from the first up to the last, it is for those, and the pattern is "".
    """

    pattern: str
    priority: Priority
    files: tuple[tuple[int, int], ...] = ()


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
        if rules and not any(_fits(rules[-1])(file, self._paths[file]) for file in self._chosen):
            raise LocalError(f"no file that is being downloaded fits {rules[-1].pattern!r}")
        if self._chosen and not self.kept(rules):
            raise LocalError("that would leave nothing to download; pause or cancel it instead")

    def levels(self, rules: Sequence[Rule]) -> dict[int, Priority]:
        """Return the priority of each file that `only` does not leave out."""
        return dict(self._priorities(rules))

    def with_levels(self, rules: Sequence[Rule], changes: Mapping[int, Priority]) -> tuple[Rule, ...]:
        """Return rules that give these files, by number, other priorities, and leave the others theirs.

        Raises LocalError for a file that there is not, or that `only` leaves out, and when nothing would be left.
        """
        levels = self.levels(rules)
        for file, priority in changes.items():
            if file not in levels and (priority is not Priority.SKIP or not 0 <= file < self.space.file_count):
                there = 0 <= file < self.space.file_count
                raise LocalError(f"file {file} is left out of this download" if there else f"there is no file {file}")
        levels |= {file: priority for file, priority in changes.items() if file in levels}
        made = tuple(
            Rule("", priority, tuple(_stretches(files)))
            for priority in (Priority.SKIP, Priority.LOW, Priority.HIGH)
            if (files := [file for file, level in levels.items() if level is priority])
        )
        if levels and not self.kept(made):
            raise LocalError("that would leave nothing to download; pause or cancel it instead")
        return made

    def _priorities(self, rules: Sequence[Rule]) -> Iterator[tuple[int, Priority]]:
        """Yield each chosen file with its priority, in order."""
        fitting = [(_fits(rule), rule.priority) for rule in reversed(rules)]
        for file in self._chosen:
            path = self._paths[file]
            yield file, next((priority for fits, priority in fitting if fits(file, path)), Priority.NORMAL)


class Plan(msgspec.Struct, frozen=True):
    """What is known of a download once its manifest is."""

    encoded: bytes
    space: PieceSpace
    choice: Choice


def plan_of(content_id: bytes, encoded: bytes, name: str, only: str) -> Plan:
    """Read a manifest; raises what `decode` does, and LocalError when nothing in it is wanted."""
    space = PieceSpace(decode(encoded, content_id))
    return Plan(encoded, space, Choice(space, name, only))


def _fits(rule: Rule) -> Callable[[int, str], bool]:
    """Return what says whether a rule is for a file, by its number and its path."""
    if not rule.files:
        pattern = _fitting(rule.pattern)
        return lambda _file, path: pattern.fullmatch(path) is not None
    firsts = [first for first, _ in rule.files]

    def is_listed(file: int, _path: str) -> bool:
        at = bisect_right(firsts, file) - 1
        return at >= 0 and file <= rule.files[at][1]

    return is_listed


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
