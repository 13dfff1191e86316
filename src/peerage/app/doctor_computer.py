"""What the doctor makes of this computer: disk, folders, limits of the system, certificate. Pure.

Invariant: from the same facts follows the same finding; a remedy is a sentence that can be followed without knowing
anything else. How the facts are come by is not known here.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from peerage.app.api.doctor_models import Check
from peerage.app.cli.formats import count, size
from peerage.limits import DEFAULT, MAX_OPEN_FILES

DISK_LEAST: Final = 100_000_000
"""Bytes free below which the node cannot be relied on: catalogue, logs and what was learned need some of it."""

DISK_LOW: Final = 1_000_000_000
"""Bytes free below which it is time to make room: one film."""

CERTIFICATE_DAYS: Final = 21
"""Days before its end at which a certificate should have been renewed: programs that renew begin at 30."""

_FULL_SHARE: Final = 0.9  # of a limit of the system: above it the next burst meets the end
_FILES_NEEDED: Final = DEFAULT.connections + MAX_OPEN_FILES + 200  # links, pieces on disk, and the database
_RENEW: Final = (
    "Make or fetch a new one (docs/api.md has the line), put it with its key in the same place, and let the node read "
    "it: peerage reload"
)

Folder = Literal["there", "missing", "no-folder", "read-only"]


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """A folder: how it is there, `problem` in the system's words, and bytes free on its disk, None for unknown."""

    path: str
    folder: Folder
    free: int | None
    problem: str = ""


def check_home(space: Space, *, private: bool) -> Check:
    """Judge the home folder, which nobody else may read."""
    path, problem = space.path, space.problem
    if space.folder != "there":
        says = f"The folder with this node's key and settings, {path}, cannot be used: {problem}."
        remedy = "Make it a folder that you may write to, or choose another one with --home."
        return Check.of("bad", "home.unusable", says, remedy, path=path, problem=problem)
    if not private:
        says = f"Other users of this computer can look into {path}, where this node's key is."
        return Check.of("warn", "home.open", says, f'Keep them out: chmod 700 "{path}"', path=path)
    return Check.of("good", "home.good", f"The home folder is {path}.", path=path)


def check_disk(space: Space) -> Check:
    """Judge the room for the node's own data."""
    path, free = space.path, space.free
    if free is None:
        says = f"How much room is left for {path} cannot be seen: {space.problem}."
        return Check.of("unknown", "disk.unknown", says, path=path, problem=space.problem)
    if free < DISK_LEAST:
        says = f"Only {size(free)} are free on the disk of {path}: the node cannot save what it learns."
        return Check.of("bad", "disk.full", says, "Delete something on that disk at once.", path=path, free_bytes=free)
    if free < DISK_LOW:
        says = f"Only {size(free)} are free on the disk of {path}."
        remedy = "Make room on that disk soon: empty the bin, or move large files elsewhere."
        return Check.of("warn", "disk.low", says, remedy, path=path, free_bytes=free)
    return Check.of("good", "disk.good", f"{size(free)} are free on the disk of {path}.", path=path, free_bytes=free)


def check_downloads(space: Space, missing: int) -> Check:
    """Judge the folder for downloads, where `missing` bytes of those under way are still to be written."""
    path, free = space.path, space.free
    choose = 'choose another folder for downloads in the settings ("downloads")'
    if space.folder in {"no-folder", "read-only"}:
        says = f"Downloads cannot be saved in {path}: {space.problem}."
        remedy = f"Make it a folder that you may write to, or {choose}."
        return Check.of("bad", f"downloads.{space.folder}", says, remedy, path=path, problem=space.problem)
    if free is None:
        says = f"Downloads go to {path}; how much room is left there cannot be seen: {space.problem}."
        return Check.of("unknown", "downloads.unknown", says, path=path, problem=space.problem)
    if missing > free:
        says = f"What is being downloaded needs {size(missing)} more, and {size(free)} are free for {path}."
        remedy = "Make room on that disk, or cancel a download, before it is full."
        return Check.of("bad", "downloads.too-large", says, remedy, path=path, free_bytes=free, needed_bytes=missing)
    if free < DISK_LOW:
        says = f"Only {size(free)} are free for downloads in {path}."
        return Check.of(
            "warn", "downloads.low", says, f"Make room on that disk, or {choose}.", path=path, free_bytes=free
        )
    if space.folder == "missing":
        says = f"Downloads go to {path}, which is made with the first one; {size(free)} are free."
        return Check.of("good", "downloads.later", says, path=path, free_bytes=free)
    return Check.of(
        "good", "downloads.good", f"Downloads go to {path}; {size(free)} are free.", path=path, free_bytes=free
    )


def check_files(limit: int, used: int | None) -> Check:
    """Judge how many files and links this process may have open; `used` None: nobody has counted."""
    more = 4 * _FILES_NEEDED
    remedy = f'Allow more: "ulimit -n {more}" before "peerage up", or LimitNOFILE={more} in the unit of systemd.'
    if used is not None and used > _FULL_SHARE * limit:
        says = f"{used} of the {limit} files and links that the system allows are open; soon no more can be opened."
        return Check.of("bad", "files.full", says, remedy, limit=limit, used=used)
    if limit < _FILES_NEEDED:
        says = f"The system allows {limit} open files and links; a busy node needs {_FILES_NEEDED}."
        return Check.of("warn", "files.few", says, remedy, limit=limit, needed=_FILES_NEEDED)
    if used is None:
        return Check.of("good", "files.allowed", f"The system allows {limit} open files and links.", limit=limit)
    says = f"{used} of the {limit} files and links that the system allows are open."
    return Check.of("good", "files.good", says, limit=limit, used=used)


def check_watches(limit: int, used: int | None, shares: int) -> Check:
    """Judge whether the kernel tells of changes: `used` watches of this process for so many shares that are there.

    `used` None: nobody has counted.
    """
    remedy = (
        "Allow more: sudo sysctl fs.inotify.max_user_watches=524288 (and the same in a file in /etc/sysctl.d, so that "
        "it holds after a restart), then restart the node. Folders on a network drive cannot be watched at all."
    )
    if shares and used == 0:
        says = "The system does not tell this node when shared files change, so it looks only every five minutes."
        return Check.of("warn", "watches.none", says, remedy, limit=limit, shares=shares)
    if used is not None and used > _FULL_SHARE * limit:
        says = f"This node watches {used} folders for changes, and the system allows {limit}."
        return Check.of("warn", "watches.full", says, remedy, limit=limit, used=used)
    if used is None:
        return Check.of("good", "watches.allowed", f"The system can watch {limit} folders for changes.", limit=limit)
    says = f"This node watches {count(used, 'folder')} for changes; the system allows {limit}."
    return Check.of("good", "watches.good", says, limit=limit, used=used)


def check_certificate(path: str, seconds_left: float | None, problem: str, *, outdated: bool = False) -> Check:
    """Judge the certificate for other computers by how long it is still valid; None: it cannot be read.

    `outdated`: the node still shows the one that was there before.
    """
    if seconds_left is None:
        says = f"The certificate for other computers, {path}, cannot be read: {problem}."
        return Check.of("bad", "certificate.unreadable", says, _RENEW, path=path, problem=problem)
    if seconds_left <= 0:
        says = f"The certificate for other computers, {path}, has expired; their browsers refuse it."
        return Check.of("bad", "certificate.expired", says, _RENEW, path=path)
    if outdated:
        says = f"A new certificate for other computers is in {path}, and the node still shows the old one."
        return Check.of("warn", "certificate.unread", says, "Let the node read it: peerage reload", path=path)
    days = int(seconds_left // 86400)
    says = f"The certificate for other computers is valid for {count(days, 'more day')}."
    if days < CERTIFICATE_DAYS:
        return Check.of("warn", "certificate.soon", says, _RENEW, path=path, days=days)
    return Check.of("good", "certificate.good", says, path=path, days=days)
