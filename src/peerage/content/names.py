"""Makes names that come from elsewhere safe to be file names here; the only place that does.

Invariant: what leaves this module is one path component, or a relative path of such, that no file system reads as
anything else: it never leaves its folder, and it is the same on every system. It does not look at the disk.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Final

from peerage.errors import UnsafeNameError
from peerage.limits import MAX_FOLDER_DEPTH, MAX_NAME_BYTES, MAX_PATH_BYTES

UNNAMED: Final = "unnamed"
_MAX_ENDING_BYTES: Final = 16  # of a name that must be cut, this much of its ending survives: .tar.zst, .torrent
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_ ()+,=@-]*(?:\.[A-Za-z0-9_-]+)*(?<! )")
"""Names that need no cleaning, as most do; a device name such as NUL still does."""
_FORBIDDEN: Final = re.compile(r'[/\\<>:"|?*\ud800-\udfff]')
_INVISIBLE: Final = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Control characters, and those that turn the reading direction: "gpj.exe" must not be shown as "exe.jpg"."""
_DEVICE: Final = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *", re.IGNORECASE)
_ROOTED: Final = re.compile(r"[/\\]|[A-Za-z]:(?:[/\\]|$)")


def safe_name(name: str) -> str:
    """Clean a name until it is one path component on Linux, macOS and Windows; a clean name stays as it is.

    What cannot be in a name becomes "_" or goes; a name of which nothing is left becomes "unnamed".
    """
    if len(name) <= MAX_NAME_BYTES and _PLAIN.fullmatch(name) and not _DEVICE.fullmatch(name.partition(".")[0]):
        return name
    name = unicodedata.normalize("NFC", _INVISIBLE.sub("", name))
    name = _FORBIDDEN.sub("_", name).lstrip(" ").rstrip(". ")
    stem, dot, rest = name.partition(".")
    if _DEVICE.fullmatch(stem):
        name = f"{stem.rstrip(' ')}_{dot}{rest}"
    return _shortened(name) or UNNAMED


def safe_relative_path(path: str) -> PurePosixPath:
    """Clean a relative path, component by component; raises UnsafeNameError when it would leave its folder."""
    return PurePosixPath(_cleaned(path))


def local_paths(paths: Iterable[str], *, fold_case: bool) -> list[str]:
    """Return for each path of a folder the relative path that it gets here, no two of them the same.

    Two that fall together once they are clean (or, with `fold_case`, differ only in upper and lower case) are told
    apart by a number, in order, so the same folder always gets the same names.
    """
    key = str.casefold if fold_case else str
    cleaned = [_cleaned(path) for path in paths]
    in_order = sorted(map(key, cleaned))
    taken: set[str] = set()
    numbers: dict[str, int] = {}
    result = []
    for path in cleaned:
        local = path
        while key(local) in taken or holds_folder(in_order, key(local)):
            numbers[key(path)] = numbers.get(key(path), 1) + 1  # kept, or many equal names would cost their square
            local = numbered_name(path, numbers[key(path)])
        taken.add(key(local))
        result.append(local)
    return result


def holds_folder(in_order: Sequence[str], path: str) -> bool:
    """Say whether one of these sorted paths is below `path`, so that this must be a folder."""
    at = bisect_left(in_order, path + "/")
    return at < len(in_order) and in_order[at].startswith(path + "/")


def check_path(path: str) -> None:
    """Raise UnsafeNameError unless a path of a manifest is relative, made of real components, and not too long."""
    try:
        length = len(path.encode())
    except UnicodeEncodeError as error:
        raise UnsafeNameError(f"{path!r} is not text: its name on disk is not UTF-8") from error
    if not 0 < length <= MAX_PATH_BYTES:
        raise UnsafeNameError(f"a path of {length} bytes; allowed are 1 to {MAX_PATH_BYTES}")
    if _ROOTED.match(path) or "\0" in path:
        raise UnsafeNameError(f"{path!r} is not a relative path")
    components = path.split("/")
    if len(components) > MAX_FOLDER_DEPTH:
        raise UnsafeNameError(f"a path through {len(components)} folders; allowed are {MAX_FOLDER_DEPTH}")
    for component in components:
        if component in {"", ".", ".."}:
            raise UnsafeNameError(f"{path!r} has the component {component!r}, which is no name of a file or folder")


def _cleaned(path: str) -> str:
    check_path(path)
    if ".." in path.replace("\\", "/").split("/"):
        raise UnsafeNameError(f"{path!r} would leave its folder")
    cleaned = "/".join(map(safe_name, path.split("/")))
    if len(cleaned.encode()) > MAX_PATH_BYTES:
        raise UnsafeNameError(f"a path of more than {MAX_PATH_BYTES} bytes")
    return cleaned


def _shortened(name: str) -> str:
    """Cut a name that is too long, at the end of its stem."""
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    stem, ending = _split(name)
    return _cut(stem, MAX_NAME_BYTES - len(ending.encode())) + ending


def numbered_name(path: str, number: int) -> str:
    """Return "folder/name (2).txt" for "folder/name.txt"; not longer than a name may be."""
    folder, slash, name = path.rpartition("/")
    stem, ending = _split(name)
    ending = f" ({number}){ending}"
    return folder + slash + _cut(stem, MAX_NAME_BYTES - len(ending.encode())) + ending


def _split(name: str) -> tuple[str, str]:
    """Part "notes.txt" into "notes" and ".txt"; what is too long for an ending belongs to the stem."""
    stem, dot, suffix = name.rpartition(".")
    ending = dot + suffix
    return (stem, ending) if stem and len(ending.encode()) <= _MAX_ENDING_BYTES else (name, "")


def _cut(stem: str, room: int) -> str:
    """Keep at most `room` bytes of UTF-8, whole characters only."""
    return stem.encode()[:room].decode(errors="ignore").rstrip(". ")
