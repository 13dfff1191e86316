"""A walk through a shared path: which files are in it, and what is left out and why.

Invariant: every file found lies inside the share with its real path, is a regular file, and has a name that can travel;
links are never followed out of the share, nor into what is left out of it. Nothing is opened but ignore files. The walk
blocks; it belongs in a thread.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

import msgspec

from peerage.catalogue.hashing import FileStat, Found, Skipped
from peerage.catalogue.ignore import IgnoreRules, is_hidden_or_temporary, rules_in
from peerage.errors import LimitError, LocalError, StoreError
from peerage.limits import MAX_FOLDER_DEPTH, MAX_FOLDER_FILES, MAX_PATH_BYTES, MAX_SKIPPED_LISTED

_ROOTED_ELSEWHERE: Final = re.compile(r"[A-Za-z]:(/|$)")  # on Windows these parts of a path mean a drive
_HIDDEN_ON_WINDOWS: Final = 2
_HIDDEN_ON_MACOS: Final = 0x8000


class Scan(msgspec.Struct, frozen=True):
    """What a share consists of: files sorted by relative path (a single file has the relative path ""), and the rest.

    `skipped` names at most MAX_SKIPPED_LISTED of `skipped_count`; hidden, temporary and ignored names do not count.
    """

    folder: bool
    files: tuple[Found, ...]
    skipped: tuple[Skipped, ...]
    skipped_count: int


def scan(root: Path, private: Path | None = None) -> Scan:
    """Look through a file or a folder to be shared.

    `private` is the node's own folder, with its key: it is never part of a share, though a folder inside it can be
    shared by itself. Raises StoreError when `root` cannot be read, LocalError when it must not be shared.
    """
    try:
        found = root.stat()
    except OSError as error:
        raise StoreError(f"cannot share {root}: {error.strerror or error}") from error
    _check_root(root, private)
    if stat.S_ISREG(found.st_mode):
        return Scan(False, (Found("", str(root), FileStat.of(found)),), (), 0)
    if not stat.S_ISDIR(found.st_mode):
        raise LocalError(f"cannot share {root}: it is neither a file nor a folder")
    return _Walk(root, private).run()


def _check_root(root: Path, private: Path | None) -> None:
    if root.parent == root:
        raise LocalError(f"{root} is the whole disk; share a folder in it")
    try:
        str(root).encode()
    except UnicodeEncodeError as error:
        raise LocalError(f"cannot share {root!r}: its name is not UTF-8") from error
    real = Path(os.path.realpath(root))
    if private is not None and (real == private or (real.parent == private and not real.is_dir())):
        raise LocalError(f"cannot share {root}: the node's own key and data are in there")


class _Walk:
    """One walk through one folder."""

    def __init__(self, root: Path, private: Path | None) -> None:
        self._root = root
        self._real_root = os.path.realpath(root)
        self._private = private and str(private)
        self._files: dict[str, Found] = {}  # by path below the real root
        self._links: list[tuple[tuple[str, ...], str]] = []
        self._skipped: list[Skipped] = []
        self._skipped_count = 0

    def run(self) -> Scan:
        pending: list[tuple[tuple[str, ...], IgnoreRules]] = [((), IgnoreRules())]
        while pending:  # a list instead of recursion: folders may be nested deeper than the stack is
            parts, outer = pending.pop()
            folder = self._root.joinpath(*parts)
            rules = rules_in(folder, len(parts), outer, lambda path, reason: self._skip(str(path), reason))
            pending += [(below, rules) for below in self._look_into(folder, parts, rules)]
        self._resolve_links()
        files = sorted(self._files.values(), key=lambda found: found.relative)
        return Scan(True, tuple(files), tuple(self._skipped), self._skipped_count)

    def _look_into(self, folder: Path, parts: tuple[str, ...], rules: IgnoreRules) -> list[tuple[str, ...]]:
        """Take the files of one folder; returns the folders in it."""
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            if not parts:  # a disk that does not answer is no empty folder
                raise StoreError(f"cannot read {folder}: {error.strerror or error}") from error
            self._skip(str(folder), error.strerror or str(error))
            return []
        below = []
        for entry in entries:
            try:
                inner = self._take(entry, (*parts, entry.name), rules)
            except OSError as error:
                self._skip(entry.path, error.strerror or str(error))
                continue
            if inner is not None:
                below.append(inner)
        return below

    def _take(self, entry: os.DirEntry[str], parts: tuple[str, ...], rules: IgnoreRules) -> tuple[str, ...] | None:
        """Take one name of a folder; returns its parts when it is a folder to walk into."""
        folder = entry.is_dir(follow_symlinks=False)
        if is_hidden_or_temporary(entry.name) or rules.ignores(parts, folder=folder):
            return None
        trouble = _trouble(parts)
        if trouble:
            self._skip(entry.path, trouble)
        elif entry.is_symlink():
            self._links.append((parts, entry.path))
        elif folder:
            if self._is_private(entry.path):
                self._skip(entry.path, "the node's own key and data are in there")
            elif not _is_marked_hidden(entry.stat(follow_symlinks=False)):
                return parts
        else:
            self._take_file(parts, entry.path, entry.stat(follow_symlinks=False))
        return None

    def _take_file(self, parts: tuple[str, ...], path: str, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            self._skip(path, "not a regular file")
        elif not _is_marked_hidden(found):
            self._add(parts, path, found)

    def _add(self, parts: tuple[str, ...], path: str, found: os.stat_result) -> None:
        if len(self._files) >= MAX_FOLDER_FILES:
            raise LimitError(
                "MAX_FOLDER_FILES", "ours", f"{self._root} has more than {MAX_FOLDER_FILES} files; share its folders"
            )
        relative = "/".join(parts)
        self._files[relative] = Found(relative, path, FileStat.of(found))

    def _resolve_links(self) -> None:
        """A link to a file that is itself part of the share is another name of it; every other link is left out."""
        own = {os.path.join(self._real_root, *relative.split("/")) for relative in self._files}  # noqa: PTH118 - fast
        for parts, path in self._links:
            target = os.path.realpath(path)
            if target in own:
                self._add(parts, path, os.stat(path))  # noqa: PTH116 - the link's target
            else:
                self._skip(path, "a link to something that is not a file of this share")

    def _is_private(self, path: str) -> bool:
        return self._private is not None and os.path.realpath(path) == self._private

    def _skip(self, path: str, reason: str) -> None:
        self._skipped_count += 1
        if len(self._skipped) < MAX_SKIPPED_LISTED:
            self._skipped.append(Skipped(path, reason))


def _trouble(parts: tuple[str, ...]) -> str | None:
    """Say why a path cannot travel, if so: a folder must be fetchable on every system, or nobody can have it."""
    relative = "/".join(parts)
    try:
        length = len(relative.encode())
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if "\\" in relative or _ROOTED_ELSEWHERE.match(relative):
        return "its name means another place on other systems"
    if length > MAX_PATH_BYTES or len(parts) > MAX_FOLDER_DEPTH:
        return "it is nested too deep"
    return None


def _is_marked_hidden(found: os.stat_result) -> bool:
    """Whether Windows or macOS hides it by an attribute."""
    return bool(
        getattr(found, "st_file_attributes", 0) & _HIDDEN_ON_WINDOWS or getattr(found, "st_flags", 0) & _HIDDEN_ON_MACOS
    )
