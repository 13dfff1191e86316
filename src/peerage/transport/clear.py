"""Clear-text byte channels, for the protocol of 2007: what a transport of them offers.

Invariant: a channel says where it comes from and nothing more: nobody is authenticated, nothing is encrypted. Bytes go
in order or not at all. What may be believed of them is the business of who reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from peerage.identity.address import Address
from peerage.transport.base import Listener


class Channel(Protocol):
    """One connection. The other side may be anybody."""

    remote: Address
    local: Address

    async def read(self, most: int) -> bytes:
        """Return what has come, at most so many bytes, nothing at the end; raises LinkLostError."""

    async def write(self, data: bytes | memoryview) -> None:
        """Send in one piece and return when all of it is on its way; raises LinkLostError."""

    def finish(self) -> None:
        """Say that nothing more will be sent, after what was; the other direction stays open."""

    def abort(self) -> None:
        """End it now, both ways; a second call does nothing."""


class ClearTransport(Protocol):
    """A way to make channels."""

    async def listen(self, address: Address, accept: Callable[[Channel], None]) -> Listener:
        """Listen there (port 0: any free one); `accept` owns each channel that it gets. Raises DialError."""

    async def dial(self, address: Address) -> Channel:
        """Connect; raises DialError when nobody answers within DIAL_TIMEOUT."""
