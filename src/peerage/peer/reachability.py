"""Whether strangers can dial this node: others are asked to dial back, and links that come in by themselves count too.

Invariant: a "yes" rests on links that came in here, from peers whose keys were proved on them. Whoever asks this node
to dial back is dialled only at the address where it was seen, under the id it has proved, and seldom; so this node
cannot be made to knock at a third party. What follows from the evidence is decided in peer.reach_evidence.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from peerage.errors import LimitError, PeerageError
from peerage.identity.address import Address
from peerage.limits import (
    DIAL_BACK_BURST,
    DIAL_BACK_PAUSE,
    DIAL_BACK_RATE,
    DIAL_BACK_TIMEOUT,
    DIALS_AT_ONCE,
    MAX_DIALLED_BACK,
    REACH_INTERVAL,
)
from peerage.peer.connection import PeerConnection
from peerage.peer.handlers import Handler
from peerage.peer.limiter import TokenBucket
from peerage.peer.messages import NUMBER_BITS, DialBack, DialledBack, DialProof, LinkKind
from peerage.peer.reach_evidence import Evidence
from peerage.peer.service import Service
from peerage.peer.stabilizers import Stabilizer
from peerage.peer.subnet import subnet_of
from peerage.wire.message import Message

log = logging.getLogger("peerage.peer")

_ASKED_AT_ONCE: Final = 3  # peers of different subnets: two that agree are enough


class Reachability(Service):
    """Knows whether others can dial this node; `reachable` is None while that is not known."""

    name = "reachability"

    def __init__(self) -> None:
        self.reachable: bool | None = None
        self._evidence = Evidence()
        self._listeners: list[Callable[[bool | None], None]] = []
        self._listening: tuple[Address, ...] = ()
        self._numbers: dict[int, PeerConnection] = {}  # our open questions
        self._asking = False
        # those of others
        self._bucket: TokenBucket
        self._served: dict[str, float] = {}  # hosts, and when they may ask again
        self._dialling = 0

    def subscribe(self, callback: Callable[[bool | None], None]) -> None:
        """Call back with `reachable` whenever it changes."""
        self._listeners.append(callback)

    def addresses_changed(self) -> None:
        """Forget what is known, and ask again: this computer has other addresses now."""
        self._evidence.forget()
        self._decide()
        self._ask_soon()

    def handlers(self) -> Iterable[tuple[type[Message], Handler[Any]]]:
        """Dial back, and be dialled back."""
        return ((DialBack, self._on_dial_back), (DialProof, self._on_proof))

    def stabilizers(self) -> Iterable[Stabilizer]:
        """Ask again from time to time."""
        return (Stabilizer(self.look, REACH_INTERVAL),)

    async def start(self) -> None:
        """Be ready for the questions of others."""
        self._bucket = TokenBucket(DIAL_BACK_RATE, DIAL_BACK_BURST, self._now())

    def peer_connected(self, connection: PeerConnection) -> None:
        """A link that came in is as good as one that was dialled back; while nothing is known, ask whom we dialled."""
        if not connection.outgoing:
            self._came_in(connection)
        elif self.reachable is None:
            self._ask_soon()

    async def look(self) -> None:
        """Ask some neighbours to dial back, unless enough is known already."""
        if self._listening != self.peer.addresses:
            if self._listening:
                self._evidence.forget()
            self._listening = self.peer.addresses
        self._decide()
        if self.peer.addresses and not self._asking and self.reachable is not True:
            self._asking = True
            try:
                await asyncio.gather(*(self._ask(each) for each in self._whom_to_ask()))
            finally:
                self._asking = False
        self._decide()

    # --- asking -----------------------------------------------------------------------------------------------------

    def _ask_soon(self) -> None:
        if not self._asking:
            try:
                self.peer.spawn(self.look(), "reachability")
            except LimitError as error:
                log.info("reachability is looked at later: %s", error)

    def _whom_to_ask(self) -> list[PeerConnection]:
        """Return neighbours of different subnets, those first from which nothing is known."""
        by_subnet: dict[str, PeerConnection] = {}
        neighbours = self.peer.neighbours()
        self.peer.rng.shuffle(neighbours)
        for connection in neighbours:
            by_subnet.setdefault(subnet_of(connection.remote.host), connection)
        fresh = self._evidence.unasked(by_subnet, self._now())
        ordered = sorted(by_subnet, key=lambda subnet: (subnet not in fresh, not subnet))
        return [by_subnet[subnet] for subnet in ordered[:_ASKED_AT_ONCE]]

    async def _ask(self, connection: PeerConnection) -> None:
        """Ask one peer; only its "no" is taken on its word."""
        number = self.peer.rng.getrandbits(NUMBER_BITS)
        self._numbers[number] = connection
        try:
            answer = await connection.request(DialBack(number, self.peer.addresses[0].port), DIAL_BACK_TIMEOUT + 2.0)
        except PeerageError as error:
            log.info("%r does not dial back: %s", connection, error)
        else:
            if not answer.reached:
                self._evidence.failed(subnet_of(connection.remote.host), self._now())
        finally:
            self._numbers.pop(number, None)

    def _on_proof(self, connection: PeerConnection, message: DialProof) -> None:
        """A link that came in says which question it answers; the key on it is that of the peer that was asked."""
        asked = self._numbers.get(message.number)
        if asked is not None and not connection.outgoing and asked.peer_id == connection.peer_id:
            self._came_in(connection)

    def _came_in(self, connection: PeerConnection) -> None:
        self._evidence.came_in(subnet_of(connection.remote.host), self._now())
        if self.reachable is not True:  # which more of the same cannot change, and looking costs as many looks as links
            self._decide()

    def _decide(self) -> None:
        around = [subnet_of(each.remote.host) for each in self.peer.neighbours()]
        verdict = self._evidence.verdict(around, self._now())
        if verdict is not self.reachable:
            self.reachable = verdict
            for callback in self._listeners:
                callback(verdict)

    # --- being asked ------------------------------------------------------------------------------------------------

    async def _on_dial_back(self, connection: PeerConnection, message: DialBack) -> DialledBack:
        """Dial the asker where it is seen, and say over the new link which question that answers."""
        self._admit(connection.remote.host)
        self._dialling += 1
        try:
            reached = await self._dial(connection, message)
        finally:
            self._dialling -= 1
        return DialledBack(reached)

    async def _dial(self, asker: PeerConnection, message: DialBack) -> bool:
        address = Address(asker.remote.host, message.port)
        try:
            async with asyncio.timeout(DIAL_BACK_TIMEOUT):
                link = await self.peer.connect(address, asker.peer_id, LinkKind.BULK)
        except (PeerageError, TimeoutError) as error:
            log.info("%r cannot be dialled back: %s", asker, error)
            return False
        link.send(DialProof(message.number))
        link.close("it was only to see whether it comes up")
        return True

    def _admit(self, host: str) -> None:
        """Count a question; raises LimitError when this host, or all together, ask too often."""
        now = self._now()
        often = self._served.get(host, 0.0) > now
        if often or self._dialling >= DIALS_AT_ONCE or not self._bucket.take(1, now):
            self.peer.metrics.count("dial_backs_refused")
            raise LimitError("dial_back", "ours", "asked to dial back too often: try again in a minute")
        if len(self._served) >= MAX_DIALLED_BACK:
            del self._served[next(iter(self._served))]
        self._served.pop(host, None)
        self._served[host] = now + DIAL_BACK_PAUSE

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
