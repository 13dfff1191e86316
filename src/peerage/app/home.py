"""The home folder: where one node keeps its identity, its settings and what it remembers; one process at a time.

Invariant: the folder and everything secret in it can be read by its owner only; the identity is made once and never
overwritten; a node runs only while it holds the lock, which the system takes back from a process that died, so no stale
lock can keep anybody out. What stands in the files of the features is their own business.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import platformdirs

from peerage.app import config
from peerage.errors import ConfigError
from peerage.identity.keys import PeerKey
from peerage.whole_file import write_whole

ENVIRONMENT: Final = "PEERAGE_HOME"

_TOKEN_BYTES: Final = 32
_LOCK_ATTEMPTS: Final = 10  # somebody who only asks whether a node runs holds the lock for an instant
_LOCK_PAUSE: Final = 0.02


class DaemonInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Which process runs the node of a home folder; `api` is HOST:PORT, empty for a node without an API."""

    pid: int
    api: str = ""
    started: float = 0.0  # seconds since 1970


class Home:
    """One home folder; made on disk by `create`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_file = path / "config.toml"
        self.key_file = path / "identity.key"
        self.token_file = path / "api.token"
        self.keys_file = path / "api.keys"
        self.sessions_file = path / "api.sessions"
        self.lock_file = path / "lock"
        self.daemon_file = path / "daemon.json"
        self.log_file = path / "log"
        self.catalogue_file = path / "catalogue.sqlite"
        self.peers_file = path / "peers.json"
        self.hits_file = path / "last-search.json"
        self.index_file = path / "index.sqlite"
        self.supernodes_file = path / "supernodes.json"
        self.wishes_file = path / "wishes.json"
        self.votes_file = path / "votes.sqlite"
        self.transfers_folder = path / "transfers"
        self.demo_folder = path / "demo"

    def __repr__(self) -> str:
        return f"<Home {self.path}>"

    @classmethod
    def at(cls, path: str | Path | None = None) -> Home:
        """Return the home at `path`, else at $PEERAGE_HOME, else where the platform keeps a program's data."""
        chosen = path or os.environ.get(ENVIRONMENT) or platformdirs.user_data_path("peerage", appauthor=False)
        return cls(Path(chosen).expanduser().absolute())

    def create(self) -> None:
        """Make the folder and the commented configuration, where they are missing; raises ConfigError."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.transfers_folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"cannot make the home folder {self.path}: {error.strerror}") from error
        config.write_default(self.config_file)

    def config(self) -> config.Config:
        """Read the configuration; raises ConfigError that names the line at fault."""
        return config.load(self.config_file)

    def identity(self) -> PeerKey:
        """Return this node's key; the first call ever makes it."""
        if not self.key_file.exists():
            self.create()
            self._save_new(PeerKey.generate())
        try:
            return PeerKey.load(self.key_file)
        except OSError as error:
            raise ConfigError(f"cannot read the identity {self.key_file}: {error.strerror}") from error

    def token(self) -> str:
        """Return the secret that the local API asks for; the first call ever makes it."""
        try:
            if not self.token_file.exists():
                self.create()
                write_whole(self.token_file, secrets.token_urlsafe(_TOKEN_BYTES).encode(), private=True)
            if self.token_file.stat().st_mode & 0o077:
                raise ConfigError(f"{self.token_file} can be read by others; make it private: chmod 600")
            token = self.token_file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot use the API token {self.token_file}: {error}") from error
        if len(token) < _TOKEN_BYTES:
            raise ConfigError(f"the API token {self.token_file} is damaged; delete it to have a new one made")
        return token

    def running(self) -> DaemonInfo | None:
        """Return which process runs the node of this home, None when there is none."""
        try:
            handle = os.open(self.lock_file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return self._info()
        finally:
            os.close(handle)
        return None

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the one process of this home; raises ConfigError that names the one that is already."""
        self.create()
        try:
            handle = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"cannot lock the home folder {self.path}: {error.strerror}") from error
        try:
            self._take(handle)
            self.announce(DaemonInfo(pid=os.getpid(), started=time.time()))
            try:
                yield
            finally:
                self.daemon_file.unlink(missing_ok=True)
        finally:
            os.close(handle)

    def announce(self, info: DaemonInfo) -> None:
        """Tell later commands where the running node is; only the holder of the lock may."""
        try:
            write_whole(self.daemon_file, msgspec.json.encode(info), private=True)
        except OSError as error:
            raise ConfigError(f"cannot write {self.daemon_file}: {error.strerror}") from error

    # --- inside -------------------------------------------------------------------------------------------------

    def _save_new(self, key: PeerKey) -> None:
        """Put a whole key in place or none, and leave one that came first alone."""
        fresh = self.key_file.with_suffix(f".{os.getpid()}.new")
        try:
            fresh.unlink(missing_ok=True)  # of a process that died, and had the same number
            key.save(fresh)
            try:
                os.link(fresh, self.key_file)
            finally:
                fresh.unlink()
        except FileExistsError:
            return  # another process was quicker
        except OSError as error:
            raise ConfigError(f"cannot write the identity {self.key_file}: {error.strerror}") from error

    def _take(self, handle: int) -> None:
        for _ in range(_LOCK_ATTEMPTS):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE)
            else:
                return
        raise ConfigError(self._taken())

    def _taken(self) -> str:
        info = self._info()
        where = f", API at {info.api}" if info.api else ""
        who = f"process {info.pid}{where}" if info.pid else "another process"
        return (
            f"a node runs with the home folder {self.path} already ({who}); "
            "stop it with `peerage down`, or choose another folder with --home"
        )

    def _info(self) -> DaemonInfo:
        try:
            return msgspec.json.decode(self.daemon_file.read_bytes(), type=DaemonInfo)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return DaemonInfo(pid=0)
