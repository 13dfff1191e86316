"""The folders of this computer as the page may look through them, to choose what to share.

Invariant: nothing is seen but what lies in one of the given roots: below a root no symbolic link is followed, each
folder is opened in the one before it, so no change of names between two steps leads out; what is outside and what is
not there are answered alike. Hidden and temporary names, which sharing leaves out, and the node's own folder are not
shown. It opens no file and changes nothing. All of it blocks; it belongs in a thread.
"""

from __future__ import annotations

import errno
import heapq
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from peerage.app.api.folder_models import Folder, FolderEntry
from peerage.app.naming import UnknownNameError
from peerage.catalogue.ignore import is_hidden_or_temporary
from peerage.errors import ConfigError, LocalError, StoreError
from peerage.limits import FOLDER_ENTRIES, FOLDER_NAMES

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NOT_THERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
_FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM})

_Identity = tuple[int, int]  # device and inode


class View(NamedTuple):
    """Who looks: the folders he may look into, the node's own one, and the paths that are shared already."""

    roots: Sequence[Path]
    private: Path
    shared: Collection[str] = ()


def roots_of(said: Sequence[str]) -> list[Path]:
    """Return the folders that a setting names; raises ConfigError for one that is not absolute."""
    roots = []
    for text in said:
        path = Path(os.path.normpath(os.path.expanduser(text)))  # noqa: PTH111 -- which raises nothing
        if not path.is_absolute() or "\0" in text:
            raise ConfigError(f"folders: {text!r} is no absolute path; write /home/... or ~/...")
        roots.append(path)
    return list(dict.fromkeys(roots))


def look(path: str, view: View) -> Folder:
    """List a folder, the roots for ""; raises UnknownNameError for what may not be seen or is not there."""
    if not path:
        return _roots(view)
    place = Path(path)
    root = _root_of(path, place, view.roots)
    parts = place.relative_to(root).parts
    with _opened(root, parts, _identity_at(view.private)) as folder:
        entries, more = _entries(folder, place, view)
    return Folder(path=str(place), parent=_parent_of(place, view.roots), entries=entries, more=more)


# --- inside -----------------------------------------------------------------------------------------------------


def _roots(view: View) -> Folder:
    """List the roots that are there."""
    entries = [
        FolderEntry(name=root.name or str(root), path=str(root), kind="folder", shared=_is_shared(root, view.shared))
        for root in view.roots
        if root.is_dir()
    ]
    return Folder(path="", parent=None, entries=entries)


def _root_of(path: str, place: Path, roots: Sequence[Path]) -> Path:
    """Return the innermost root that a path is in by its letters, without a name on the way that is not shown."""
    with suppress(UnicodeEncodeError):
        path.encode()
        if "\0" not in path and place.is_absolute() and ".." not in place.parts:
            fitting = [root for root in roots if place.is_relative_to(root)]
            if fitting:
                root = max(fitting, key=lambda each: len(each.parts))
                if not any(map(is_hidden_or_temporary, place.relative_to(root).parts)):
                    return root
    raise _unseen(path)


def _parent_of(place: Path, roots: Sequence[Path]) -> str:
    """Return the folder that a folder is in, "" when that is not to be seen."""
    if place.parent == place:
        return ""
    try:
        _root_of(str(place.parent), place.parent, roots)
    except UnknownNameError:
        return ""
    return str(place.parent)


@contextmanager
def _opened(root: Path, parts: Sequence[str], private: _Identity | None) -> Iterator[int]:
    """Open a folder, step by step from its root; the root itself may be a link, for its owner chose it."""
    place = str(root.joinpath(*parts))
    with _telling(place):
        handle = os.open(root, _FOLDER)
    try:
        for name in parts:
            with _telling(place):
                below = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=handle)
            os.close(handle)
            handle = below
            if _identity(os.fstat(handle)) == private:
                raise _unseen(place)
        if _identity(os.fstat(handle)) == private:
            raise _unseen(place)
        with _telling(place):
            yield handle
    finally:
        os.close(handle)


def _entries(folder: int, place: Path, view: View) -> tuple[list[FolderEntry], bool]:
    """Return what is in an open folder: folders first, then by name; and whether there is more than is told."""
    inside = _is_shared(place, view.shared)
    private = _identity_at(view.private)
    with closing(os.scandir(folder)) as listing:
        looked = list(heapq.nsmallest(FOLDER_ENTRIES + 1, _shown(islice(listing, FOLDER_NAMES)), key=_order))
        more = len(looked) > FOLDER_ENTRIES or next(listing, None) is not None
    entries = []
    for found in looked[:FOLDER_ENTRIES]:
        with suppress(OSError):  # it has vanished since
            stat = found.stat(follow_symlinks=False)
            is_folder = found.is_dir(follow_symlinks=False)
            if _identity(stat) != private:
                path = str(place / found.name)
                entries.append(
                    FolderEntry(
                        name=found.name,
                        path=path,
                        kind="folder" if is_folder else "file",
                        size=0 if is_folder else stat.st_size,
                        shared=inside or path in view.shared,
                    )
                )
    return entries, more


def _shown(listing: Iterator[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
    """Leave out what sharing does: hidden and temporary names, links, devices, and names that are not UTF-8."""
    for entry in listing:
        with suppress(UnicodeEncodeError, OSError):
            entry.name.encode()
            real = entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)
            if real and not is_hidden_or_temporary(entry.name):
                yield entry


def _order(entry: os.DirEntry[str]) -> tuple[bool, str, str]:
    return not entry.is_dir(follow_symlinks=False), entry.name.casefold(), entry.name


def _is_shared(place: Path, shared: Collection[str]) -> bool:
    """Whether a folder is shared, itself or with one that it is in."""
    return any(str(each) in shared for each in (place, *place.parents))


def _identity(found: os.stat_result) -> _Identity:
    return found.st_dev, found.st_ino


def _identity_at(path: Path) -> _Identity | None:
    try:
        return _identity(path.stat())
    except OSError:
        return None


@contextmanager
def _telling(place: str) -> Iterator[None]:
    """Say what a folder refuses."""
    try:
        yield
    except OSError as error:
        if error.errno in _NOT_THERE:
            raise _unseen(place) from error
        if error.errno in _FORBIDDEN:
            raise LocalError(f"the user who runs this node may not read {place}") from error
        raise StoreError(f"cannot read {place}: {error.strerror or error}") from error


def _unseen(path: str) -> UnknownNameError:
    return UnknownNameError(f"there is no folder {path[:200]!r} among those that may be looked through")
