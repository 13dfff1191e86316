"""Finds peers on the local network by multicast DNS (RFC 6762, RFC 6763), and lets them find this one.

Invariant: what is announced is this node's id and where it listens, and nothing else: no computer name, no network, no
shares. What is found is hearsay: an address to try; only the handshake of a link proves who is there and whether it
belongs to the same network. Trouble with multicast is a notice, never an error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from peerage.errors import AddressError
from peerage.identity.address import Address, literal_ip
from peerage.identity.keys import PeerId, format_id, parse_id
from peerage.limits import MAX_ADDRESSES
from peerage.peer.service import Service

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

log = logging.getLogger("peerage.app")

SERVICE: Final = "_peerage._tcp.local."
Found = Callable[[PeerId, tuple[Address, ...]], None]

_ID: Final = "id"
_LABEL: Final = 16  # characters of the id in a name of DNS, whose parts end at 63
_ASK_MS: Final = 3000
_COUNTED: Final = 1000  # peers that are counted: more of them than that say nothing more
_WAITING: Final = 64  # names that wait to be looked up; a network that shouts more at once is up to something


class Lan(Service):
    """Announces this node, and tells `found` of others.

    `interfaces` are IP addresses; None: those at which this node listens, or all of them when it listens everywhere.
    """

    name = "lan"

    def __init__(self, addresses: Sequence[Address], found: Found, interfaces: list[str] | None = None) -> None:
        self._addresses = addresses
        self._found = found
        self._interfaces = interfaces
        self._zeroconf: AsyncZeroconf | None = None
        self._names: asyncio.Queue[str] = asyncio.Queue(_WAITING)
        self._task: asyncio.Task[None] | None = None
        self._heard_of: set[PeerId] = set()
        self.notice = ""

    async def start(self) -> None:
        """Begin in the background: to announce takes a second."""
        self._task = self.peer.spawn(self._run(), "lan")

    async def stop(self) -> None:
        """Say goodbye and end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def heard(self) -> int:
        """How many other peers were heard of since the start; a long list is not counted to its end."""
        return len(self._heard_of)

    async def _run(self) -> None:
        from zeroconf import Error  # noqa: PLC0415 -- 0.1 s that only this needs

        try:
            await self._announce_and_look()
        except (OSError, Error) as error:
            self.notice = f"peers on the local network cannot be looked for: {error}"
            log.warning("%s", self.notice)
        finally:
            zeroconf, self._zeroconf = self._zeroconf, None
            if zeroconf is not None:
                await zeroconf.async_unregister_all_services()
                await zeroconf.async_close()

    async def _announce_and_look(self) -> None:
        from zeroconf import InterfaceChoice  # noqa: PLC0415
        from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf  # noqa: PLC0415

        places = self._interfaces or chosen_interfaces(self.peer.addresses)
        self._zeroconf = AsyncZeroconf(interfaces=places or InterfaceChoice.All)
        AsyncServiceBrowser(self._zeroconf.zeroconf, SERVICE, handlers=[self._noticed])
        info = announcement(self.peer.peer_id, self._addresses)
        if info is not None:
            await self._zeroconf.async_register_service(info, allow_name_change=True)
        while True:
            other = AsyncServiceInfo(SERVICE, await self._names.get())
            if await other.async_request(self._zeroconf.zeroconf, _ASK_MS):
                self._heard(other)

    def _noticed(self, *, name: str, state_change: Any, **_rest: Any) -> None:
        """Note a name; called by zeroconf."""
        if state_change.name != "Removed" and not self._names.full():
            self._names.put_nowait(name)

    def _heard(self, info: AsyncServiceInfo) -> None:
        read = announced(info.decoded_properties.get(_ID), info.parsed_addresses(), info.port)
        if read is None:
            self.peer.metrics.count("lan_answers_bad")
        elif read[0] != self.peer.peer_id:
            if len(self._heard_of) < _COUNTED:
                self._heard_of.add(read[0])
            self._found(*read)


def chosen_interfaces(listening: Sequence[Address]) -> list[str]:
    """Return the IP addresses at which this node listens; none when it listens everywhere, or nowhere."""
    literals = [(place.host, literal_ip(place.host)) for place in listening]
    if any(literal is None or literal.is_unspecified for _, literal in literals):
        return []
    return list(dict.fromkeys(host for host, _ in literals))


def announcement(peer_id: PeerId, addresses: Sequence[Address]) -> AsyncServiceInfo | None:
    """Return what is announced; None for a node that others on the network cannot dial."""
    from zeroconf.asyncio import AsyncServiceInfo  # noqa: PLC0415

    places = [place for place in addresses if literal_ip(place.host) is not None]
    if not places:
        return None
    label = format_id(peer_id)[:_LABEL]
    return AsyncServiceInfo(
        SERVICE,
        f"{label}.{SERVICE}",
        port=places[0].port,
        properties={_ID: format_id(peer_id)},
        server=f"{label}.local.",
        parsed_addresses=[place.host for place in places if place.port == places[0].port],
    )


def announced(peer_id: str | None, hosts: Sequence[str], port: int | None) -> tuple[PeerId, tuple[Address, ...]] | None:
    """Read an announcement; None for one that no Peerage node makes."""
    try:
        known = PeerId(parse_id(peer_id or ""))
    except AddressError:
        return None
    literals = [(host, literal_ip(host)) for host in hosts[: 4 * MAX_ADDRESSES]]
    usable = [
        Address(host, port or 0)
        for host, literal in literals
        if literal is not None and not (literal.version == 6 and literal.is_link_local)
    ]
    places = tuple(place for place in usable if place.is_dialable)[:MAX_ADDRESSES]
    return (known, places) if places else None
