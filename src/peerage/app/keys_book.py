"""The keys that the owner gives to others, and the password: kept as hashes in the home folder.

Invariant: no key and no password can be read back from the file, and only its owner can read that. A key is as random
as the owner's token, so a plain hash of it is enough; a password is not, so it goes through Argon2id (RFC 9106).
"""

from __future__ import annotations

import logging
import secrets
import threading
from pathlib import Path
from typing import Final

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from peerage.app.api.permissions import RoleName
from peerage.app.naming import Named, find
from peerage.app.tickets import hash_of
from peerage.errors import ConfigError, LimitError, LocalError
from peerage.limits import MAX_KEYS
from peerage.whole_file import write_whole

log = logging.getLogger("peerage.app")

MIN_PASSWORD: Final = 10  # characters
MAX_PASSWORD: Final = 200
_ID_BYTES: Final = 4
_SECRET_BYTES: Final = 32


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key, without what opens."""

    id: str
    name: str
    role: RoleName
    hash: str
    created: float


class _Book(msgspec.Struct, frozen=True, kw_only=True):
    keys: tuple[Key, ...] = ()
    password: str = ""  # its Argon2 hash


class KeyBook:
    """The keys of one node; all methods but `find` block, and raise ConfigError when the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._book = _Book()
        self._hasher = PasswordHasher()
        self._changing = threading.Lock()  # two threads that add a key at once add two

    def load(self) -> None:
        """Read the file, if there is one."""
        try:
            if self._path.exists():
                if self._path.stat().st_mode & 0o077:
                    raise ConfigError(f"{self._path} can be read by others; make it private: chmod 600")
                self._book = msgspec.json.decode(self._path.read_bytes(), type=_Book)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"the keys in {self._path} cannot be read: {error}; move the file away to start"
            ) from error

    @property
    def has_password(self) -> bool:
        """Whether a password is set."""
        return bool(self._book.password)

    def all(self) -> list[Key]:
        """Return the keys, the oldest first."""
        return list(self._book.keys)

    def add(self, name: str, role: RoleName, now: float) -> tuple[Key, str]:
        """Make a key; returns it, and what opens, which is told this once. Raises LimitError."""
        identity = secrets.token_hex(_ID_BYTES)
        secret = f"{identity}.{secrets.token_urlsafe(_SECRET_BYTES)}"
        key = Key(id=identity, name=name, role=role, hash=hash_of(secret), created=now)
        with self._changing:
            if len(self._book.keys) >= MAX_KEYS:
                raise LimitError("MAX_KEYS", "ours", f"there are {MAX_KEYS} keys; remove one")
            self._save(msgspec.structs.replace(self._book, keys=(*self._book.keys, key)))
        return key, secret

    def remove(self, said: str) -> Key:
        """Take a key back, by its id or its name; raises LocalError."""
        with self._changing:
            keys = self._book.keys
            gone = next((key for key in keys if key.id == said), None)
            gone = gone or find(said, [(Named(key.id, key.name), key) for key in keys], "key")
            self._save(msgspec.structs.replace(self._book, keys=tuple(key for key in keys if key is not gone)))
        return gone

    def find(self, secret: str) -> Key | None:
        """Return the key that this opens with."""
        identity, _, _ = secret.partition(".")
        hashed = hash_of(secret)
        for key in self._book.keys:
            if key.id == identity and secrets.compare_digest(key.hash, hashed):
                return key
        return None

    def set_password(self, password: str) -> None:
        """Set the password, or take it away (""); raises LocalError for one that is too short."""
        if password and not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
            raise LocalError(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")
        hashed = self._hasher.hash(password) if password else ""
        with self._changing:
            self._save(msgspec.structs.replace(self._book, password=hashed))

    def opens(self, password: str) -> bool:
        """Whether this is the password; takes about as long when there is none."""
        try:
            return self._hasher.verify(self._book.password or _decoy(self._hasher), password[:MAX_PASSWORD])
        except (VerificationError, InvalidHashError):
            return False

    def _save(self, book: _Book) -> None:
        try:
            write_whole(self._path, msgspec.json.encode(book), private=True)
        except OSError as error:
            raise ConfigError(f"cannot write {self._path}: {error.strerror}") from error
        self._book = book


def _decoy(hasher: PasswordHasher) -> str:
    """Return a hash that nothing opens."""
    return hasher.hash(secrets.token_hex())
