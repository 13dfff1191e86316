"""What the doctor looks at on this computer: folders, disks, limits of the system, certificates, ports, the clock.

Invariant: it leaves nothing behind and changes nothing; what cannot be seen is None, never a guess. All of it may
block.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from peerage.app.doctor_computer import Space
from peerage.identity.address import Address, literal_ip

_CERTIFICATE_BYTES: Final = 1024 * 1024  # of a PEM file with its whole chain: far more than there are
_OPEN_FILES: Final = ("/proc/self/fd", "/dev/fd")  # Linux, and the other systems
_WATCHES: Final = Path("/proc/sys/fs/inotify/max_user_watches")


def look_at_folder(path: Path) -> Space:
    """Return how a folder is, and how much room is left there; one that is missing is judged by where it would be."""
    try:
        return _look_at_folder(path)
    except OSError as error:  # one above it may not be looked into
        return Space(path=str(path), folder="read-only", free=None, problem=error.strerror or str(error))


def _look_at_folder(path: Path) -> Space:
    standing = _first_there(path)
    free, problem = _free(standing)
    if path.exists() and not path.is_dir():
        return Space(path=str(path), folder="no-folder", free=free, problem="it is no folder")
    refused = _refused(standing)
    if refused:
        return Space(path=str(path), folder="read-only", free=free, problem=refused)
    return Space(path=str(path), folder="there" if path.is_dir() else "missing", free=free, problem=problem)


def is_private(path: Path) -> bool:
    """Whether nobody but its owner can look into a folder."""
    try:
        return not path.stat().st_mode & 0o077
    except OSError:
        return True  # what cannot be looked at is told of elsewhere


def files_open() -> int | None:
    """Return how many files and links this process has open."""
    for folder in _OPEN_FILES:
        with contextlib.suppress(OSError):
            return sum(1 for _ in Path(folder).iterdir())
    return None


def watch_limit() -> int | None:
    """Return how many folders the kernel watches for one user; None where it counts otherwise."""
    try:
        return int(_WATCHES.read_text("ascii"))
    except (OSError, ValueError):
        return None


def watches_used() -> int:
    """Return how many folders the kernel watches for this process."""
    used = 0
    for handle in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # one that was closed meanwhile
            if str(handle.readlink()) == "anon_inode:inotify":
                with (Path("/proc/self/fdinfo") / handle.name).open("rb") as lines:
                    used += sum(line.startswith(b"inotify wd:") for line in lines)
    return used


def certificate_left(path: Path, now: float) -> tuple[float | None, str]:
    """Return for how many seconds the certificate in a PEM file is still valid, or None and why it cannot be read."""
    from cryptography import x509  # noqa: PLC0415 -- only a node with a door for others needs it

    try:
        with path.open("rb") as file:
            data = file.read(_CERTIFICATE_BYTES)
        certificate = x509.load_pem_x509_certificates(data)[0]
    except OSError as error:
        return None, error.strerror or str(error)
    except ValueError:
        return None, "it is no certificate"
    return certificate.not_valid_after_utc.timestamp() - now, ""


def is_heard(place: Address) -> bool:
    """Whether some process of this computer listens for TCP there; True where the system does not let this one see."""
    literal = literal_ip(place.host)
    version = literal.version if literal is not None else 4
    with socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # links that have just ended do not count
        if version == 6:
            trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            trial.bind((place.host or "0.0.0.0", place.port))  # noqa: S104 -- bound for an instant, never listening
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL  # an address that this computer has no more
    return False


def newest_of(files: Iterable[Path]) -> float:
    """Return when the latest of these files was changed, 0 when there is none."""
    newest = 0.0
    for file in files:
        with contextlib.suppress(OSError):
            newest = max(newest, file.stat().st_mtime)
    return newest


def steady_time() -> float | None:
    """Return seconds that nobody can set and that go on while the computer sleeps; None where there are none."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)  # of Linux
    return time.clock_gettime(clock) if clock is not None else None


def _first_there(path: Path) -> Path:
    """Return the folder itself, or the innermost one above it that exists."""
    return next((each for each in (path, *path.parents) if each.is_dir()), path)


def _free(path: Path) -> tuple[int | None, str]:
    try:
        return shutil.disk_usage(path).free, ""
    except OSError as error:
        return None, error.strerror or str(error)


def _refused(folder: Path) -> str:
    """Return why nothing can be written into a folder, "" when something can: it is tried."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:  # on Linux one that never has a name
            file.write(b"x")
            file.flush()
    except OSError as error:
        return error.strerror or str(error)
    return ""
