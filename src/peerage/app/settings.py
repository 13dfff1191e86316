"""The settings as the owner changes them while the node runs: checked, written, and used at once where that can be.

Invariant: what could not be used at the next start is refused before a byte is written. What needs a restart to be used
says so, and goes on saying so until then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from peerage.app import config
from peerage.app.api.setting_models import SettingChange, SettingEntry
from peerage.app.classic_port import settings_of
from peerage.app.config import Config, LimitSettings, Value
from peerage.app.doors import check_addresses
from peerage.app.folders import roots_of
from peerage.app.home import Home
from peerage.app.starting import addresses_to_join
from peerage.identity.address import parse_address
from peerage.peer.peer import Peer

_AT_ONCE: Final = ("limits.", "log.")
_DEFAULTS: Final = Config()


class Settings:
    """The settings of one node; `apply` uses new limits at once."""

    def __init__(self, home: Home, peer: Peer, apply: Callable[[LimitSettings], None]) -> None:
        self._home = home
        self._peer = peer
        self._apply = apply
        self._at_start = home.config()

    async def all(self) -> list[SettingEntry]:
        """Return every setting, as the file has it; raises ConfigError when that is damaged."""
        return self._entries(await self._peer.in_thread(self._home.config))

    async def change(self, changes: Sequence[SettingChange]) -> list[SettingEntry]:
        """Write these into the file, all or none; raises ConfigError or AddressError that says what is wrong."""
        values = [(change.name, change.value) for change in changes]
        written = await self._peer.in_thread(self._write, values)
        names = [name.partition(".")[0] for name, _ in values]
        if "limits" in names:
            self._apply(written.limits)
        if "log" in names:
            logging.getLogger().setLevel(written.log.level.upper())
        return self._entries(written)

    def _write(self, values: Sequence[tuple[str, Value]]) -> Config:
        _, wanted = config.changed(self._home.config_file, values)
        if wanted.listen:
            parse_address(wanted.listen)
        addresses_to_join(wanted)
        settings_of(wanted.classic, wanted.classic_connect)
        check_addresses(self._home, wanted)
        roots_of(wanted.folders)
        return config.write_values(self._home.config_file, values)

    def _entries(self, now: Config) -> list[SettingEntry]:
        return [
            SettingEntry(
                name=name,
                value=config.value_of(now, name),
                default=config.value_of(_DEFAULTS, name),
                at_once=name.startswith(_AT_ONCE),
                restart=not name.startswith(_AT_ONCE)
                and config.value_of(now, name) != config.value_of(self._at_start, name),
            )
            for name in config.names()
        ]
