"""The doctor of a running node: looks at everything on which it depends that it goes well.

Invariant: it really looks (at the system, at the clocks of others, at what is heard from outside); it asks for no more
than a ping of a few peers, and no more often than every few seconds, however many ask it. What follows from what it
sees is in `doctor_computer` and `doctor_network`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from peerage.app import doctor_computer as computer
from peerage.app import doctor_facts as facts
from peerage.app import doctor_network as network
from peerage.app.api.doctor_models import Check
from peerage.app.config import DEFAULT_PORT, Config
from peerage.app.doctor_home import examine_certificate, examine_computer
from peerage.app.known_supernodes import most_files
from peerage.content.download import ENDED
from peerage.errors import PeerageError
from peerage.identity.keys import format_id
from peerage.peer.connection import PeerConnection
from peerage.peer.subnet import subnet_of

if TYPE_CHECKING:
    from peerage.app.node import Node

KEPT_SECONDS: Final = 1.0
"""Seconds for which what was found is given to whoever asks."""

_ASKED: Final = 16  # peers whose clocks are looked at
_PING_SECONDS: Final = 1.5  # whoever asks the doctor waits for the slowest of them
_HOUR: Final = 3600.0
_WATCHER_SECONDS: Final = 60.0  # for which nothing may be watched: after each change of the shares it begins anew


class Doctor:
    """Examines one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._busy = asyncio.Lock()
        self._found: list[Check] = []
        self._until = float("-inf")
        self._began = (time.time(), facts.steady_time())
        self._watched = time.monotonic()  # when the shares were last seen to be watched, or there were none

    async def examine(self) -> list[Check]:
        """Return how everything is; what was found a moment ago is found again."""
        async with self._busy:
            now = asyncio.get_running_loop().time()
            if now >= self._until:
                self._found = await self._examine()
                self._until = asyncio.get_running_loop().time() + KEPT_SECONDS
        return self._found

    async def _examine(self) -> list[Check]:
        node = self._node
        offsets = await self._offsets()
        shares, here = await self._shares()
        ears = await node.peer.in_thread(self._ears)
        return [
            network.check_listening(ears),
            network.check_reachable(
                node.reachability.reachable, ears, [str(each) for each in node.places.reachable_at]
            ),
            network.check_peers(self._company()),
            self._lan(),
            network.check_clock(await node.peer.in_thread(self._times, offsets)),
            *self._index(),
            *await node.peer.in_thread(examine_computer, node.home, node.config, self._still_missing()),
            *await node.peer.in_thread(examine_certificate, node.config.remote, node.certificate),
            shares,
            *await node.peer.in_thread(self._system, here),
            await self._config(),
            self._log(),
        ]

    # --- looking ------------------------------------------------------------------------------------------------

    def _ears(self) -> network.Ears:
        config, places = self._node.config, self._node.places
        others = [place for place in places.reachable_at if not place.is_loopback]
        port = places.listening[0].port if places.listening else 0
        return network.Ears(
            wanted=config.listen,
            places=tuple(map(str, places.listening)),
            deaf=tuple(str(place) for place in places.listening if not facts.is_heard(place)),
            port=port,
            moved=config.listen == Config().listen and port != DEFAULT_PORT,
            local_only=not others,
        )

    def _lan(self) -> Check:
        lan = self._node.lan
        return network.check_lan(
            wanted=lan is not None,
            problem=lan.notice if lan is not None else "",
            heard=lan.heard if lan is not None else 0,
        )

    def _company(self) -> network.Company:
        node = self._node
        looks = node.lan is not None or node.config.connect
        return network.Company(
            connected=len(node.peer.neighbours()),
            known=node.peer.number_of_peers(),
            age=time.time() - node.started,
            alone="" if looks else "It looks for nobody by itself, as the settings say.",
        )

    async def _offsets(self) -> tuple[float, ...]:
        """Return how far the clocks of some peers are ahead, the middle one of each network."""
        neighbours = self._node.peer.neighbours()
        asked = self._node.peer.rng.sample(neighbours, min(_ASKED, len(neighbours)))
        told = await asyncio.gather(*map(_offset, asked))
        by_subnet: dict[str, list[float]] = {}
        for connection, offset in zip(asked, told, strict=True):
            if offset is not None:  # of a local network everybody counts: nobody there comes in thousands
                home = subnet_of(connection.remote.host) or format_id(connection.peer_id)
                by_subnet.setdefault(home, []).append(offset)
        return tuple(sorted(each)[len(each) // 2] for each in by_subnet.values())

    def _times(self, offsets: tuple[float, ...]) -> network.Times:
        wall, steady = self._began
        now, steady_now = time.time(), facts.steady_time()
        home = self._node.home
        files = (home.config_file, home.peers_file, home.daemon_file, home.hits_file, home.key_file)
        return network.Times(
            offsets=offsets,
            jumped=(now - wall) - (steady_now - steady) if steady_now is not None and steady is not None else 0.0,
            future=facts.newest_of(files) - now,
        )

    def _index(self) -> Iterator[Check]:
        node = self._node
        named = [
            network.Named(name=str(each.addresses[0]) if each.addresses else "", registered=each.registered)
            for each in node.overlays.indexes()
            if each.configured
        ]
        if (check := network.check_index(named, time.time() - node.started)) is not None:
            yield check

    async def _shares(self) -> tuple[Check, int]:
        """Look at what is shared, and return how much of it is there."""
        try:
            shares = await self._node.library()
        except PeerageError as error:
            return network.check_catalogue(str(error)), 0
        missing = [share.path for share in shares if not share.available]
        return network.check_shares(missing, len(shares)), len(shares) - len(missing)

    def _still_missing(self) -> int:
        """Return how many bytes downloads have still to write."""
        running = (each.status() for each in self._node.transfers.all() if each.state not in ENDED)
        return sum(max(0, (status.wanted or 0) - status.done) for status in running)

    async def _config(self) -> Check:
        try:
            entries = await self._node.settings.all()
            unread = await self._node.settings.unread()
        except PeerageError as error:
            return network.check_config(str(error), (), ())
        return network.check_config("", [entry.name for entry in entries if entry.restart], unread)

    def _system(self, shares: int) -> list[Check]:
        """Look at the limits of the system; blocks."""
        checks = [computer.check_files(most_files(), facts.files_open())]
        if (limit := facts.watch_limit()) is not None:
            used, now = facts.watches_used(), time.monotonic()
            if used or not shares or not self._node.is_settled:
                self._watched = now
            unwatched = shares if now - self._watched > _WATCHER_SECONDS else 0
            checks.append(computer.check_watches(limit, used, unwatched))
        return checks

    def _log(self) -> Check:
        since = time.time() - _HOUR
        late = [line for line in self._node.logs.last(100, "error") if line.time >= since]
        return network.check_log(len(late), late[-1].message[:200] if late else "")


async def _offset(connection: PeerConnection) -> float | None:
    """Return how many seconds the clock of a peer is ahead; None when it does not answer, or does not say."""
    before = time.time()
    try:
        pong = await connection.ping(_PING_SECONDS)
    except PeerageError:
        return None
    return pong.time + 0.5 - (before + time.time()) / 2 if pong.time else None
