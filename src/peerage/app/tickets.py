"""Secrets that stand for something for a while: sessions, which outlive a restart in a file, and one-time links.

Invariant: only hashes of secrets are kept, in memory and in the file, which only its owner can read; their number is
bounded, and the oldest give way.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from peerage.whole_file import write_whole

log = logging.getLogger("peerage.app")

_TOKEN_BYTES: Final = 32
_MAX_FILE: Final = 1024 * 1024

ValueT = TypeVar("ValueT")


class Tickets(Generic[ValueT]):
    """Gives secrets and says what they stand for; times are seconds of any clock that only goes forward."""

    def __init__(self, seconds: float, maximum: int) -> None:
        self._seconds = seconds
        self._maximum = maximum
        self._held: OrderedDict[str, tuple[ValueT, float]] = OrderedDict()

    def give(self, value: ValueT, now: float) -> str:
        """Return a new secret that stands for a value."""
        secret = secrets.token_urlsafe(_TOKEN_BYTES)
        self.restore(hash_of(secret), value, now + self._seconds)
        return secret

    def restore(self, hashed: str, value: ValueT, until: float) -> None:
        """Let a secret that was given before stand for a value again."""
        self._held[hashed] = (value, until)
        while len(self._held) > self._maximum:
            self._held.popitem(last=False)

    def get(self, secret: str, now: float) -> ValueT | None:
        """Return what a secret stands for."""
        value, until = self._held.get(hash_of(secret), (None, 0.0))
        return value if now < until else None

    def take(self, secret: str, now: float) -> ValueT | None:
        """Return what a secret stands for, this once."""
        value = self.get(secret, now)
        self._held.pop(hash_of(secret), None)
        return value

    def drop(self, fits: Callable[[ValueT], bool]) -> None:
        """Forget those that stand for such a value."""
        for key in [key for key, (value, _) in self._held.items() if fits(value)]:
            del self._held[key]

    def held(self, now: float) -> Iterator[tuple[str, ValueT, float]]:
        """Give what is good now: hash, value and how many seconds are left, the oldest first."""
        for hashed, (value, until) in self._held.items():
            if until > now:
                yield hashed, value, until - now


class Kept(msgspec.Struct, frozen=True):
    """A session as the file has it."""

    hash: str
    visitor: str  # the id of who was let in
    until: float  # by this computer's clock


class SessionFile:
    """The sessions of a node on disk, so that an open page outlives a restart; what cannot be read is forgotten.

    It is small and written when somebody comes or goes, so it is written where that happens, without waiting for the
    disk.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock

    def load(self) -> list[tuple[str, str, float]]:
        """Return hash, id of the visitor and seconds left of each session that is still good."""
        try:
            if self._path.stat().st_mode & 0o077:
                raise PermissionError("others can use the file; it is not believed")
            raw = self._path.read_bytes()
            kept = msgspec.json.decode(raw[:_MAX_FILE], type=list[Kept])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("the sessions in %s cannot be read, so pages have to be let in again: %s", self._path, error)
            return []
        now = self._clock()
        return [(each.hash, each.visitor, each.until - now) for each in kept if each.until > now]

    def save(self, sessions: list[tuple[str, str, float]]) -> None:
        """Write all of them: hash, id of the visitor, seconds left."""
        now = self._clock()
        body = msgspec.json.encode([Kept(hashed, visitor, now + left) for hashed, visitor, left in sessions])
        try:
            write_whole(self._path, body, private=True, durable=False)
        except OSError as error:
            log.warning("cannot write %s, so pages have to be let in again after a restart: %s", self._path, error)


def hash_of(secret: str) -> str:
    """Return what is kept of a secret as random as these."""
    return hashlib.sha256(secret.encode()).hexdigest()
