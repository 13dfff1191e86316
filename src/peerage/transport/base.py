"""The thin waist: what every transport offers and what the peer above it must bring.

Invariant: when a `Link` exists, the other side has proved the key behind `peer_id` and the membership of the network.
Bytes go in order or not at all. Messages, handshakes above that and limits per peer are not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from peerage.identity.address import Address
from peerage.identity.keys import PeerId


class Clock(Protocol):
    """The time of day; the passing of time is the event loop's `time()`."""

    def time(self) -> float:
        """Return seconds since 1970, which may jump."""


class Receiver(Protocol):
    """Who takes what a link brings; its methods are called from the event loop and never block."""

    def get_buffer(self, hint: int) -> memoryview:
        """Return where the next bytes should be put; never empty. `hint` is how many are waiting, or -1."""

    def buffer_updated(self, count: int) -> None:
        """`count` bytes were put into the buffer."""

    def pause_writing(self) -> None:
        """Too much is unsent."""

    def resume_writing(self) -> None:
        """Enough of it has gone."""

    def link_lost(self, error: Exception | None) -> None:
        """The link has ended; None when either side closed it in order. Called once, after it nothing more comes."""


class Taker(Receiver, Protocol):
    """A receiver that can also be given bytes as they are, by a transport that has them in memory anyway."""

    def take(self, data: bytes) -> None:
        """These bytes have come; nobody changes them."""


class Link(Protocol):
    """One authenticated byte channel."""

    peer_id: PeerId
    public_key: bytes
    remote: Address  # as seen from here; the port of a dialler is not one to dial back
    local: Address
    outgoing: bool

    def start(self, receiver: Receiver) -> None:
        """Begin to deliver; before it nothing is read."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, in order; `data` has been taken when this returns, so its buffer may be used again."""

    def unsent(self) -> int:
        """Return how many bytes wait to be sent."""

    def pause_reading(self) -> None:
        """Take no more from the other side until `resume_reading`."""

    def resume_reading(self) -> None:
        """Go on."""

    def close(self) -> None:
        """Send what is waiting, then end the link."""

    def abort(self) -> None:
        """End the link now; what is unsent is lost."""


class Gate(Protocol):
    """Who decides about strangers before they have cost anything."""

    def admits(self, host: str) -> bool:
        """Whether a further link from this host may begin its handshake."""

    def handshake_failed(self, reason: str) -> None:
        """A stranger did not become a link; `reason` is a short fixed word for the counters."""


class Listener(Protocol):
    """An open ear."""

    addresses: tuple[Address, ...]

    async def close(self) -> None:
        """Stop listening; links that exist stay."""


class Transport(Protocol):
    """A way to make links."""

    async def listen(self, address: Address, gate: Gate, accept: Callable[[Link], None]) -> Listener:
        """Listen at `address` (port 0: any free one); `accept` gets each link after its handshake."""

    async def dial(self, address: Address) -> Link:
        """Make a link to whoever listens there; raises DialError or WrongNetworkError."""
