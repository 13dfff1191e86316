"""The settings as the owner changes them while the node runs: checked, written, and used at once where that can be.

Invariant: what could not be used at the next start is refused before a byte is written. What needs a restart to be used
says so, and goes on saying so until then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from peerage.app import config
from peerage.app.api.setting_models import Reloaded, SettingChange, SettingEntry
from peerage.app.classic_port import settings_of
from peerage.app.config import Config, Value
from peerage.app.doors import check_addresses
from peerage.app.folders import roots_of
from peerage.app.home import Home
from peerage.app.starting import addresses_to_join
from peerage.app.using import Using
from peerage.errors import PeerageError
from peerage.identity.address import parse_address
from peerage.peer.peer import Peer

log = logging.getLogger("peerage.app")

_DEFAULTS: Final = Config()


class Settings:
    """The settings of one node; `using` puts them to use. `notice` is what its owner should read."""

    def __init__(self, home: Home, peer: Peer, using: Using) -> None:
        self._home = home
        self._peer = peer
        self._using = using
        self._busy = asyncio.Lock()  # one change after the other
        self._at_start = self._used = home.config()  # as the file had it; flags went before it
        self.notice = ""

    async def all(self) -> list[SettingEntry]:
        """Return every setting, as the file has it; raises ConfigError when that is damaged."""
        return self._entries(await self._peer.in_thread(self._home.config))

    async def change(self, changes: Sequence[SettingChange]) -> list[SettingEntry]:
        """Write these into the file, all or none; raises ConfigError or AddressError that says what is wrong."""
        values = [(change.name, change.value) for change in changes]
        async with self._busy:
            written = await self._peer.in_thread(self._write, values)
            await self._use(written, [name for name, _ in values])
            return self._entries(written)

    async def set_limits(self, values: dict[str, int]) -> None:
        """Use these limits from now on; raises ConfigError when they cannot be written."""
        await self.change([SettingChange(name=f"limits.{name}", value=value) for name, value in values.items()])

    async def reload(self) -> Reloaded:
        """Read the file again and use what was changed in it; raises ConfigError, and all stays as it was."""
        async with self._busy:
            try:
                wanted = await self._peer.in_thread(self._read)
                renewed = await self._using.refresh()
            except PeerageError as error:
                self.notice = f"config.toml cannot be used, so the settings before it hold: {error}"
                raise
            changed = self._changed(self._used, wanted)
            await self._use(wanted, ())
        used = [*(name for name in changed if self._using.at_once(name)), *renewed]
        log.info("the settings were read again; changed: %s", ", ".join(changed) or "nothing")
        return Reloaded(changed=used, restart=[name for name in config.names() if self._waits(wanted, name)])

    async def unread(self) -> list[str]:
        """Return the settings that were changed in the file by hand and could be used; raises ConfigError."""
        there = await self._peer.in_thread(self._read)
        return list(filter(self._using.at_once, self._changed(self._used, there)))

    # --- inside -------------------------------------------------------------------------------------------------

    async def _use(self, wanted: Config, named: Sequence[str]) -> None:
        """Use what has changed since the file was used last, and what was named."""
        await self._using.use(wanted, dict.fromkeys((*self._changed(self._used, wanted), *named)))
        self._used = wanted
        self.notice = ""

    def _changed(self, before: Config, now: Config) -> list[str]:
        return [name for name in config.names() if config.value_of(before, name) != config.value_of(now, name)]

    def _waits(self, now: Config, name: str) -> bool:
        """Whether a setting is other than at the start, and is used after a restart only."""
        return not self._using.at_once(name) and config.value_of(now, name) != config.value_of(self._at_start, name)

    def _read(self) -> Config:
        wanted = self._home.config()
        self._check(wanted)
        return wanted

    def _write(self, values: Sequence[tuple[str, Value]]) -> Config:
        _, wanted = config.changed(self._home.config_file, values)
        self._check(wanted)
        return config.write_values(self._home.config_file, values)

    def _check(self, wanted: Config) -> None:
        """Raise ConfigError or AddressError for what could not be used at the next start."""
        if wanted.listen:
            parse_address(wanted.listen)
        addresses_to_join(wanted)
        settings_of(wanted.classic, wanted.classic_connect)
        check_addresses(self._home, wanted)
        roots_of(wanted.folders)

    def _entries(self, now: Config) -> list[SettingEntry]:
        return [
            SettingEntry(
                name=name,
                value=config.value_of(now, name),
                default=config.value_of(_DEFAULTS, name),
                at_once=self._using.at_once(name),
                restart=self._waits(now, name),
            )
            for name in config.names()
        ]
