"""The simulated network under the memory transport: hosts, how far apart they are, what comes between them.

Invariant: everything random comes from the source given at the start, everything timed from the agenda; so the same
program on the same network runs the same way each time. Hosts carry links but know nothing of what flows over them.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Protocol

from peerage.errors import LocalError
from peerage.transport.agenda import Agenda
from peerage.transport.byte_queue import Data

if TYPE_CHECKING:
    from peerage.transport.memory import Ear
    from peerage.transport.memory_link import MemoryLink

Latency = Callable[[str, str], float]
Tap = Callable[["MemoryLink", "Data"], None]

DEFAULT_LATENCY: Final = 0.05
DEFAULT_GRAIN: Final = 0.001
SEGMENT: Final = 16 * 1024  # bytes that one link sends before the next has its turn
_FIRST_PORT: Final = 49_152  # RFC 6335: the ports that nobody has registered
_LAST_PORT: Final = 65_535


class Cable(Protocol):
    """What an uplink carries."""

    def depart(self, limit: int, rate: float, start: float) -> int:
        """Send at most `limit` bytes from `start` on at `rate`; return how many, 0 when nothing may go."""

    def has_more(self) -> bool:
        """Whether more could go at once."""


class Uplink:
    """What a host can send, in bytes a second, shared fairly among its links."""

    def __init__(self, agenda: Agenda, rate: float) -> None:
        self.rate = rate
        self._agenda = agenda
        self._waiting: OrderedDict[Cable, None] = OrderedDict()
        self._free_at = 0.0
        self._busy = False  # at work, or an event is set to go on

    def join(self, cable: Cable) -> None:
        """Take part until there is nothing left to send."""
        self._waiting[cable] = None
        if not self._busy:
            self._busy = True
            self._free_at = max(self._free_at, self._agenda.now())
            self._turn()

    def _turn(self) -> None:
        now = self._agenda.now()
        while self._waiting and self._free_at <= now:
            cable, _ = self._waiting.popitem(last=False)
            self._free_at += cable.depart(SEGMENT, self.rate, self._free_at) / self.rate
            if cable.has_more():
                self._waiting[cable] = None
        self._busy = bool(self._waiting)
        if self._busy:
            self._agenda.at(self._free_at, self._turn)


class MemoryHost:
    """A computer in the simulated network; made by `MemoryNetwork.add_host`."""

    def __init__(self, network: MemoryNetwork, name: str) -> None:
        self.network = network
        self.name = name
        self.up = True
        self.silent = False  # down without a trace: whoever sends to it hears nothing
        self.reachable = True  # False: behind a NAT, it dials but cannot be dialled
        self.zone = 0  # hosts of different zones are cut off from each other
        self.uplink: Uplink | None = None
        self.down_rate = 0.0
        self._down_free_at = 0.0
        self.ears: dict[int, Ear] = {}
        self.links: dict[MemoryLink, None] = {}
        self.bytes_sent = 0
        self.bytes_received = 0
        self._last_port = _LAST_PORT

    def __repr__(self) -> str:
        return f"<MemoryHost {self.name}>"

    def set_bandwidth(self, up: float = 0.0, down: float = 0.0) -> None:
        """Bound what this host sends and receives, in bytes a second (0: no bound); for links made from now on."""
        self.uplink = Uplink(self.network.agenda, up) if up else None
        self.down_rate = down

    @property
    def up_rate(self) -> float:
        """Bytes a second that it can send; 0: no bound."""
        return self.uplink.rate if self.uplink is not None else 0.0

    def receive(self, length: int) -> float:
        """Let bytes pass the downlink, behind what is passing it already; return when they are through."""
        self._down_free_at = max(self._down_free_at, self.network.agenda.now()) + length / self.down_rate
        return self._down_free_at

    def free_port(self) -> int:
        """Return a port on which nothing listens."""
        for _ in range(_FIRST_PORT, _LAST_PORT + 1):
            self._last_port = self._last_port + 1 if self._last_port < _LAST_PORT else _FIRST_PORT
            if self._last_port not in self.ears:
                return self._last_port
        raise LocalError(f"{self.name} has no free port left")

    def hears(self, other: MemoryHost) -> bool:
        """Whether what `other` has sent comes in here now."""
        return not self.silent and self.zone == other.zone


class MemoryNetwork:
    """Hosts and what lies between them; made inside the event loop that it runs in.

    `latency` gives the seconds one way between two hosts, by name; it is asked once for each link and direction.
    `link_life` is the mean life of a link in seconds before it breaks by itself (0: it does not). Arrivals are rounded
    up to `grain` seconds, and all that arrive in one grain are delivered together.
    """

    def __init__(
        self,
        rng: random.Random,
        latency: Latency | None = None,
        *,
        link_life: float = 0.0,
        grain: float = DEFAULT_GRAIN,
    ) -> None:
        self.rng = rng
        self.agenda = Agenda(grain)
        self.latency: Latency = latency or _same_everywhere
        self.link_life = link_life
        self.tap: Tap | None = None  # sees every delivery
        self._hosts: dict[str, MemoryHost] = {}
        self._stalled: dict[MemoryLink, None] = {}

    @property
    def hosts(self) -> tuple[MemoryHost, ...]:
        """Return all hosts in the order in which they were added."""
        return tuple(self._hosts.values())

    def add_host(self, name: str) -> MemoryHost:
        """Add a computer; its name is the host of its addresses. LocalError when there is one of that name."""
        if name in self._hosts:
            raise LocalError(f"there is a host {name} already")
        host = self._hosts[name] = MemoryHost(self, name)
        return host

    def find(self, name: str) -> MemoryHost | None:
        """Return the host of that name."""
        return self._hosts.get(name)

    # --- what goes wrong ------------------------------------------------------------------------------------------

    def partition(self, *groups: Iterable[MemoryHost]) -> None:
        """Cut the network into these groups and the rest; what is under way between them waits for `heal`."""
        for host in self._hosts.values():
            host.zone = 0
        for zone, group in enumerate(groups, 1):
            for host in group:
                host.zone = zone
        self._let_through()

    def heal(self) -> None:
        """Undo every partition."""
        self.partition()

    def kill(self, host: MemoryHost, *, silently: bool = False) -> None:
        """End everything on a host: as a process that dies (the others see resets), or silently, as a power cut."""
        host.up, host.silent = False, silently
        for ear in tuple(host.ears.values()):
            ear.close(tell=not silently)
        for link in tuple(host.links):
            link.die(tell=not silently)

    def revive(self, host: MemoryHost) -> None:
        """Switch a host on again, with nothing running on it."""
        host.up, host.silent = True, False

    def break_links(self, one: MemoryHost, other: MemoryHost) -> int:
        """Break every link between two hosts and return how many there were; what was under way is lost."""
        broken = [link for link in one.links if link.far_host is other]
        for link in broken:
            link.snap()
        return len(broken)

    # --- for the links ----------------------------------------------------------------------------------------------

    def hold(self, link: MemoryLink) -> None:
        """Remember a link whose bytes cannot come through now."""
        self._stalled[link] = None

    def _let_through(self) -> None:
        stalled, self._stalled = self._stalled, {}
        for link in stalled:
            self.agenda.after(0.0, link.try_again)


def _same_everywhere(_one: str, _other: str) -> float:
    return DEFAULT_LATENCY
