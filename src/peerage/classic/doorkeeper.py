"""Who may be connected to the classic port, and who gives way when it is crowded.

Invariant: never more connections than the bounds, in all and from one address; a newcomer takes the place of one that
has got its answer, else of the oldest that has not yet said what it wants (of the same address, where that is full),
never of one that is being answered. So silent connections, however many, keep nobody out. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Generic, TypeVar

from peerage.limits import CLASSIC_CONNECTIONS, CLASSIC_CONNECTIONS_PER_ADDRESS

GuestT = TypeVar("GuestT")


class Doorkeeper(Generic[GuestT]):
    """Counts guests; `leave` must be called for each that was let in, also for one that had to give way."""

    def __init__(self, maximum: int = CLASSIC_CONNECTIONS, per_address: int = CLASSIC_CONNECTIONS_PER_ADDRESS) -> None:
        self._maximum = maximum
        self._per_address = per_address
        self._hosts: dict[GuestT, str] = {}
        self._silent: dict[GuestT, None] = {}  # in the order they came
        self._served: dict[GuestT, None] = {}

    def __len__(self) -> int:
        return len(self._hosts)

    def enter(self, guest: GuestT, host: str) -> tuple[bool, GuestT | None]:
        """Return whether the newcomer may stay, and who has to go for it."""
        out: GuestT | None = None
        if sum(each == host for each in self._hosts.values()) >= self._per_address:
            out = next((each for each in self._idle() if self._hosts[each] == host), None)
        elif len(self._hosts) >= self._maximum:
            out = next(self._idle(), None)
        else:
            self._let_in(guest, host)
            return True, None
        if out is None:
            return False, None
        self.leave(out)
        self._let_in(guest, host)
        return True, out

    def heard(self, guest: GuestT) -> None:
        """Note that a guest has said what it wants."""
        self._silent.pop(guest, None)

    def served(self, guest: GuestT) -> None:
        """Note that a guest has its answer, and only has to go."""
        if guest in self._hosts:
            self._served[guest] = None

    def leave(self, guest: GuestT) -> None:
        """Give the place back; a second time does nothing."""
        self._silent.pop(guest, None)
        self._served.pop(guest, None)
        self._hosts.pop(guest, None)

    def _idle(self) -> Iterator[GuestT]:
        return chain(self._served, self._silent)

    def _let_in(self, guest: GuestT, host: str) -> None:
        self._hosts[guest] = host
        self._silent[guest] = None
