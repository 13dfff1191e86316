"""Links inside one process, over a simulated network: the transport of the laboratory and of fast tests.

Invariant: to a peer it behaves as transport.tcp does (same order of events, same errors, same questions to the gate),
only that time, distance and misfortune come from the `MemoryNetwork`. Keys are proved by holding the object; nothing is
encrypted, as nobody else is in this memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from peerage.errors import DialError, LinkError, WrongNetworkError
from peerage.identity.address import Address
from peerage.identity.keys import PeerKey
from peerage.identity.network import Network
from peerage.limits import DEFAULT, DIAL_TIMEOUT, Limits
from peerage.transport.base import Gate, Link
from peerage.transport.memory_link import MemoryLink, join_ends
from peerage.transport.simnet import Latency, MemoryHost, MemoryNetwork

__all__ = ["Latency", "MemoryHost", "MemoryListener", "MemoryNetwork", "MemoryTransport", "Stranger"]

_RETRY: Final = 1.0  # seconds after which a lost part of a handshake is sent again, as TCP does
_RESET: Final = "the connection was reset"


class MemoryTransport:
    """Makes links for one peer of one network, on one host."""

    def __init__(self, host: MemoryHost, network: Network, key: PeerKey, limits: Limits = DEFAULT) -> None:
        self.host = host
        self.network = network
        self.key = key
        self.limits = limits

    async def listen(self, address: Address, gate: Gate, accept: Callable[[Link], None]) -> MemoryListener:
        """Listen at `address`; an empty host or a wildcard means this host, port 0 any free one."""
        if not self.host.up:
            raise DialError(f"cannot listen at {address}: the host is down")
        if address.host not in {"", "0.0.0.0", "::", self.host.name}:  # noqa: S104 -- compared, not bound
            raise DialError(f"cannot listen at {address}: this host is {self.host.name}")
        port = address.port or self.host.free_port()
        if port in self.host.ears:
            raise DialError(f"cannot listen at {address}: the port is taken")
        ear = self.host.ears[port] = Ear(self, port, gate, accept)
        return MemoryListener(ear)

    async def dial(self, address: Address) -> MemoryLink:
        """Make a link; raises DialError when nobody answers, WrongNetworkError when it is another network."""
        target = self.host.network.find(address.host)
        if target is None:
            raise DialError(f"cannot connect to {address}: no such host")
        if not self.host.up:
            raise DialError(f"cannot connect to {address}: the network is unreachable")
        handshake = _Handshake(self.host, target, address, self)
        link: MemoryLink | None = None
        try:
            async with asyncio.timeout(DIAL_TIMEOUT + self.limits.handshake_timeout):
                link = await handshake.link
        except TimeoutError as error:
            raise DialError(f"{address} did not answer in time") from error
        finally:
            if link is None:
                handshake.leave()
        return link


class MemoryListener:
    """An open ear."""

    def __init__(self, ear: Ear) -> None:
        self._ear = ear
        self.addresses: tuple[Address, ...] = (ear.address,)

    async def close(self) -> None:
        """Stop listening and drop strangers; links that exist stay."""
        self._ear.close()


class Stranger:
    """A connection that never became a link: what a scanner, a flooder or a broken program opens."""

    def __init__(self, host: MemoryHost, address: Address) -> None:
        target = host.network.find(address.host)
        if target is None:
            raise DialError(f"cannot connect to {address}: no such host")
        self._handshake = _Handshake(host, target, address, None)

    async def wait_closed(self) -> str:
        """Wait until the other side ends the connection, and return how that looks from here."""
        try:
            await self._handshake.link
        except LinkError as error:
            return str(error)
        raise AssertionError("a stranger became a link")

    def send(self, data: bytes) -> None:
        """Send bytes that are no handshake."""
        if data:
            self._handshake.spoil()

    def close(self) -> None:
        """Go away again."""
        self._handshake.leave()


class Ear:
    """One port that is listened on, and the handshakes under way there."""

    def __init__(self, transport: MemoryTransport, port: int, gate: Gate, accept: Callable[[Link], None]) -> None:
        self.transport = transport
        self.address = Address(transport.host.name, port)
        self._gate = gate
        self._accept = accept
        self._open = True
        self._handshakes: dict[_Handshake, None] = {}  # in the order they began

    def admits(self, host: str) -> bool:
        """Whether a stranger from there may begin."""
        return self._open and self._gate.admits(host)

    def begin(self, handshake: _Handshake) -> None:
        """Hold a place for a handshake; the oldest gives way when there is none."""
        limits = self.transport.limits
        if len(self._handshakes) >= limits.pending_handshakes:
            self.end(next(iter(self._handshakes)), "crowded-out")
        self._handshakes[handshake] = None
        self.transport.host.network.agenda.after(limits.handshake_timeout, lambda: self.end(handshake, "timeout"))

    def end(self, handshake: _Handshake, reason: str) -> None:
        """A handshake came to nothing; harmless when it is over already."""
        if handshake in self._handshakes:
            del self._handshakes[handshake]
            self._gate.handshake_failed(reason)
            handshake.drop()

    def finish(self, handshake: _Handshake, link: MemoryLink) -> None:
        """A handshake is complete, unless it was dropped on the way."""
        if handshake in self._handshakes:
            del self._handshakes[handshake]
            self._accept(link)
        else:
            link.abort()

    def close(self, *, tell: bool = True) -> None:
        """Stop listening; `tell`: those who are at it see a reset."""
        if not self._open:
            return
        self._open = False
        self.transport.host.ears.pop(self.address.port, None)
        handshakes, self._handshakes = self._handshakes, {}
        for handshake in handshakes:
            if tell:
                handshake.drop()


class _Handshake:
    """The way to a link, step by step: two round trips, as with TCP and TLS 1.3, and half a one more for the target.

    `dialler` is None for a stranger, who says nothing once connected.
    """

    def __init__(
        self, source: MemoryHost, target: MemoryHost, address: Address, dialler: MemoryTransport | None
    ) -> None:
        self.link: asyncio.Future[MemoryLink] = asyncio.get_running_loop().create_future()
        self._source = source
        self._target = target
        self._address = address
        self._dialler = dialler
        self._agenda = source.network.agenda
        self._there = source.network.latency(source.name, target.name)
        self._back = source.network.latency(target.name, source.name)
        self._near = Address(source.name, source.free_port())
        self._ear: Ear | None = None
        self._far_end: MemoryLink | None = None
        self._spoilt = False
        self._agenda.after(self._there, self._arrive)

    # --- the steps, in order ----------------------------------------------------------------------------------

    def _arrive(self) -> None:
        """At the target: the connection is asked for."""
        if self.link.done() or self._later(self._target, self._source, self._arrive):
            return
        self._ear = self._target.ears.get(self._address.port)
        if self._ear is None:
            self._agenda.after(self._back, lambda: self._fail(self._no_answer("nobody listens there")))
        else:
            self._agenda.after(self._back + self._there, self._knock)

    def _knock(self) -> None:
        """At the target: the connection stands, and a dialler's first words have come with it."""
        assert self._ear is not None
        if self.link.done() or self._later(self._target, self._source, self._knock):
            return
        if not self._ear.admits(self._source.name):
            self.drop()
            return
        self._ear.begin(self)
        if self._spoilt:
            self._ear.end(self, "broken")
        elif self._dialler is not None:
            self._agenda.after(self._back, self._check)

    def _check(self) -> None:
        """At the dialler: the other side has shown who it is."""
        assert self._ear is not None
        assert self._dialler is not None
        if self.link.done() or self._later(self._source, self._target, self._check):
            return
        if self._ear.transport.network.label != self._dialler.network.label:
            self._fail(self._wrong_network(self._dialler.network))
            self._end_there("wrong-network")
            return
        self.link.set_result(self._make_ends(self._dialler, self._ear))
        self._agenda.after(self._there, self._finish)

    def _finish(self) -> None:
        """At the target: the dialler has shown who it is."""
        assert self._ear is not None
        assert self._far_end is not None
        if not self._later(self._target, self._source, self._finish):
            self._ear.finish(self, self._far_end)

    # --- how it can end otherwise -----------------------------------------------------------------------------

    def drop(self) -> None:
        """The target wants no more of it."""
        if self._far_end is not None:
            self._far_end.abort()
        else:
            self._agenda.after(self._back, lambda: self._fail(self._no_answer(_RESET)))

    def leave(self) -> None:
        """The source wants no more of it; harmless when it is over."""
        if self.link.cancel() or self.link.cancelled():
            self._end_there("broken")
        elif self.link.exception() is None:
            self.link.result().abort()  # it came in the very moment in which it was given up

    def spoil(self) -> None:
        """Bytes that are no handshake have been sent."""
        self._spoilt = True
        self._end_there("broken")

    # --- inside -------------------------------------------------------------------------------------------------

    def _later(self, here: MemoryHost, other: MemoryHost, step: Callable[[], None]) -> bool:
        """Whether nothing comes through to `here` now; then the step is tried again, as TCP sends again."""
        unreachable = here is self._target and not here.reachable and here is not other
        if here.hears(other) and not unreachable:
            return False
        self._agenda.after(_RETRY, step)
        return True

    def _end_there(self, reason: str) -> None:
        self._agenda.after(self._there, lambda: self._ear.end(self, reason) if self._ear is not None else None)

    def _fail(self, error: LinkError) -> None:
        if not self.link.done():
            self.link.set_exception(error)
            self.link.exception()  # a stranger may not want to know

    def _no_answer(self, reason: str) -> DialError:
        return DialError(f"cannot connect to {self._address}: {reason}")

    def _wrong_network(self, network: Network) -> WrongNetworkError:
        return WrongNetworkError(
            f"{self._address} belongs to another network than {network.name!r}: "
            "use the same --network name or the same secret on both sides"
        )

    def _make_ends(self, dialler: MemoryTransport, ear: Ear) -> MemoryLink:
        near = MemoryLink(self._source, self._target, self._near, self._address)
        far = self._far_end = MemoryLink(self._target, self._source, ear.address, self._near)
        near.peer_id, near.public_key = ear.transport.key.peer_id, ear.transport.key.public_key
        far.peer_id, far.public_key = dialler.key.peer_id, dialler.key.public_key
        join_ends(near, far)
        return near
