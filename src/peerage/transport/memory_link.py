"""A link of the simulated network: two ends in one process, with the manners of TCP.

Invariant: bytes come in the order in which they were written or not at all; at most a window of them is between the
ends, the rest waits with the sender, who is told to pause when that is too much. Each end learns of the end of the link
exactly once. Who may make a link is not decided here.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from enum import Enum
from typing import Final

from peerage.identity.address import Address
from peerage.identity.keys import PeerId
from peerage.limits import KIB, MIB
from peerage.transport.agenda import Conveyor
from peerage.transport.base import Receiver
from peerage.transport.byte_queue import ByteQueue, Data
from peerage.transport.simnet import SEGMENT, MemoryHost

_WRITE_HIGH: Final = MIB  # bytes unsent at which the writer is told to pause, as with TCP
_WRITE_LOW: Final = _WRITE_HIGH // 4
_WINDOW: Final = 4 * MIB  # bytes between the ends: what Linux lets a TCP socket grow to
_SMALLEST_WINDOW: Final = 64 * KIB
_CLOSE_TIMEOUT: Final = 30.0  # seconds that a closed link waits for the other side, as asyncio's TLS does


class _End(Enum):
    """What ends one direction."""

    FIN = 1  # all has been sent
    RESET = 2  # the other side is gone


class MemoryLink:
    """One end of a link (transport.base.Link); made in pairs by `join_ends`."""

    __slots__ = (
        "_agenda",
        "_between",
        "_closing",
        "_delivering",
        "_fin_came",
        "_fin_sent",
        "_held",
        "_inbox",
        "_last_mile",
        "_latency",
        "_network",
        "_over",
        "_queue",
        "_reading",
        "_reason",
        "_receiver",
        "_take",
        "_way",
        "_window",
        "_writer_paused",
        "far",
        "far_host",
        "host",
        "label",
        "local",
        "outgoing",
        "peer_id",
        "public_key",
        "remote",
    )
    far: MemoryLink
    peer_id: PeerId
    public_key: bytes

    def __init__(self, host: MemoryHost, far_host: MemoryHost, local: Address, remote: Address) -> None:
        self.host = host
        self.far_host = far_host
        self.local = local
        self.remote = remote
        self.outgoing = False
        self._network = host.network
        self._agenda = host.network.agenda
        self._latency = host.network.latency(host.name, far_host.name)
        self._window = _window(host, far_host, self._latency)
        self._receiver: Receiver | None = None
        self._take: Callable[[bytes], None] | None = None  # of a receiver that can do without a buffer
        self.label = b""  # for whoever sees deliveries
        self._over = False  # nothing is delivered or sent any more
        self._reason: Exception | None = None
        # the sending half
        self._queue = ByteQueue()
        self._between = 0  # bytes that have left and were not taken yet
        self._way: Conveyor[Data | _End] = Conveyor(self._agenda, self._arrive)
        self._last_mile: Conveyor[Data | _End] | None = None  # through the far host's bounded downlink
        self._held: list[Data | _End] = []  # what a partition keeps back
        self._closing = False
        self._fin_sent = False
        self._writer_paused = False
        # the receiving half
        self._inbox = ByteQueue()
        self._reading = True
        self._delivering = False
        self._fin_came = False
        host.links[self] = None

    def __repr__(self) -> str:
        return f"<MemoryLink {self.local} {'to' if self.outgoing else 'from'} {self.remote}>"

    # --- what a Link offers ---------------------------------------------------------------------------------

    def start(self, receiver: Receiver) -> None:
        """Begin to deliver, with what has come already."""
        self._receiver = receiver
        self._take = getattr(receiver, "take", None)  # transport.base.Taker
        if self._over:
            self._tell()
        else:
            self._deliver()

    def write(self, data: Data) -> None:
        """Send, in order; `data` is copied unless nobody can change it."""
        if self._over or self._closing or not len(data):
            return
        data, host = bytes(data), self.host
        between = self._between + len(data)
        if host.uplink is None and not self._queue.size and between <= self._window:
            self._between = between
            host.bytes_sent += len(data)
            self._way.put(self._agenda.now() + self._latency, data)
            return
        self._queue.put(data)
        self._pump()
        if self._queue.size > _WRITE_HIGH and not self._writer_paused:
            self._writer_paused = True
            if self._receiver is not None:
                self._receiver.pause_writing()

    def unsent(self) -> int:
        """Return how many bytes wait to be sent."""
        return self._queue.size

    def pause_reading(self) -> None:
        """Take no more from the other side; what comes fills the window."""
        self._reading = False

    def resume_reading(self) -> None:
        """Go on."""
        if not self._reading:
            self._reading = True
            self._agenda.soon(self._deliver)

    def close(self) -> None:
        """Send what is waiting, then end."""
        if not self._over and not self._closing:
            self._closing = True
            self._pump()
            self._agenda.after(_CLOSE_TIMEOUT, self._give_up)

    def abort(self) -> None:
        """End now."""
        if not self._over:
            self._send_end(_End.RESET)
            self._finish(None)
            self._agenda.soon(self._tell)

    # --- what befalls it ------------------------------------------------------------------------------------

    def snap(self) -> None:
        """Break: both ends learn of it at once, what was under way is lost."""
        for end in (self, self.far):
            end.fail(_reset())

    def die(self, *, tell: bool) -> None:
        """End because the host went down; `tell`: the other side is sent a reset."""
        if tell and not self._over:
            self._send_end(_End.RESET)
        self.fail(ConnectionAbortedError(errno.ECONNABORTED, "this host is down"))

    def make_room(self, taken: int) -> None:
        """The far end has taken bytes; this end hears of that one way later, if it waits for it."""
        waited = self._between >= self._window
        self._between -= taken
        if waited and taken:
            self._agenda.after(self._latency, self._pump)

    def take_in(self, items: list[Data | _End]) -> None:
        """Bytes and ends have come from the far end."""
        first = items[0]
        if len(items) == 1 and isinstance(first, bytes) and self._hand_over(first):
            return
        reset = False
        for item in items:
            if item is _End.RESET:
                reset = True
            elif isinstance(item, _End):
                self._fin_came = True
            else:
                self._take_data(item)
        if self._over:
            self._refuse(reset=reset)
            return
        self._deliver()
        if reset:
            self.fail(None if self._closing else _reset())
        elif self._fin_came and self._fin_sent:
            self.fail(None)

    def fail(self, reason: Exception | None) -> None:
        """End at once and tell the receiver; harmless when it is over."""
        if not self._over:
            self._finish(reason)
            self._tell()

    def try_again(self) -> None:
        """A partition has ended or changed."""
        held, self._held = self._held, []
        self._arrive(held)

    # --- the sending half -----------------------------------------------------------------------------------

    def depart(self, limit: int, rate: float, start: float) -> int:
        """Send at most `limit` bytes from `start` on; return how many (simnet.Cable)."""
        left = limit
        while left and self.has_more():
            data = self._queue.take(min(left, self._window - self._between))
            left -= len(data)
            self._send(data, start + (limit - left) / rate + self._latency)
        self._after_sending()
        return limit - left

    def has_more(self) -> bool:
        """Whether bytes wait that the window would let go."""
        return self._queue.size > 0 and self._between < self._window and not self._over

    def _pump(self) -> None:
        """Send what may go."""
        if self._over:
            return
        if self.host.uplink is not None and self.has_more():
            self.host.uplink.join(self)
            return
        while self.has_more():
            self._send(self._queue.take(self._window - self._between), self._agenda.now() + self._latency)
        self._after_sending()

    def _after_sending(self) -> None:
        if self._closing and not self._queue.size and not self._fin_sent:
            self._send_end(_End.FIN)
        if self._writer_paused and self._queue.size <= _WRITE_LOW and not self._over:
            self._writer_paused = False
            if self._receiver is not None:
                self._receiver.resume_writing()

    def _send(self, data: Data, when: float) -> None:
        self._between += len(data)
        self.host.bytes_sent += len(data)
        self._way.put(when, data)

    def _send_end(self, end: _End) -> None:
        self._fin_sent = True
        self._way.put(self._agenda.now() + self._latency, end)

    def _arrive(self, items: list[Data | _End]) -> None:
        """What this end has sent comes to the far host."""
        if self.far_host.silent:
            return
        if self._held or not self.far_host.hears(self.host):
            self._held += items
            self._network.hold(self)
        elif self.far_host.down_rate:
            self._queue_up(items)
        else:
            self.far.take_in(items)

    def _queue_up(self, items: list[Data | _End]) -> None:
        """Pass the far host's downlink, which all its links share."""
        if self._last_mile is None:
            self._last_mile = Conveyor(self._agenda, self.far.take_in)
        for item in items:
            if isinstance(item, _End):
                self._last_mile.put(self._agenda.now(), item)
            else:
                for start in range(0, len(item), SEGMENT):
                    part = memoryview(item)[start : start + SEGMENT]
                    self._last_mile.put(self.far_host.receive(len(part)), part)

    # --- the receiving half ---------------------------------------------------------------------------------

    def _hand_over(self, data: bytes) -> bool:
        """Give bytes to the receiver as they are, if it takes them so and nothing is before them: the usual case."""
        take = self._take
        if (
            take is None
            or self._over
            or self._delivering
            or self._inbox.size
            or self._fin_sent
            or not self._reading
            or len(data) > SEGMENT
        ):
            return False
        self.host.bytes_received += len(data)
        if self._network.tap is not None:
            self._network.tap(self, data)
        self._delivering = True
        try:
            take(data)
        finally:
            self._delivering = False
            self.far.make_room(len(data))
        return True

    def _take_data(self, data: Data) -> None:
        self.host.bytes_received += len(data)
        if self._over or self._fin_sent:
            return
        self._inbox.put(data)
        if self._network.tap is not None:
            self._network.tap(self, data)

    def _refuse(self, *, reset: bool) -> None:
        """Something came for a link that is gone here; the other side may not know that yet."""
        if not reset and not self._fin_sent and self.host.up:
            self._send_end(_End.RESET)

    def _deliver(self) -> None:
        """Hand to the receiver what it takes, as few reads as its buffers allow."""
        if self._receiver is None or self._delivering:
            return
        self._delivering = True
        taken = 0
        try:
            while self._inbox.size and self._reading and not self._over:
                count = self._inbox.fill(self._receiver.get_buffer(self._inbox.size))
                taken += count
                self._receiver.buffer_updated(count)
        finally:
            self._delivering = False
            self.far.make_room(taken)
        if self._fin_came and not self._inbox.size and self._reading and not self._over:
            if not self._fin_sent:
                self._send_end(_End.FIN)
            self.fail(None)

    # --- the end --------------------------------------------------------------------------------------------

    def _give_up(self) -> None:
        """The other side did not see to the end of a closed link."""
        if not self._over:
            self._send_end(_End.RESET)
            self.fail(TimeoutError("the other side did not close the link in time"))

    def _finish(self, reason: Exception | None) -> None:
        self._over, self._reason = True, reason
        self._queue.clear()
        self._inbox.clear()
        self.host.links.pop(self, None)

    def _tell(self) -> None:
        receiver, self._receiver, self._take = self._receiver, None, None
        if receiver is not None:
            receiver.link_lost(self._reason)


def join_ends(near: MemoryLink, far: MemoryLink) -> None:
    """Make two ends one link; `near` is the one that dialled."""
    near.far, far.far = far, near
    near.outgoing = True
    network = near.host.network
    if network.link_life:
        network.agenda.after(network.rng.expovariate(1 / network.link_life), near.snap)


def _window(host: MemoryHost, far_host: MemoryHost, latency: float) -> int:
    """Return how many bytes may be between the ends: twice what the slower host passes on in one round trip."""
    rates = [rate for rate in (host.up_rate, far_host.down_rate) if rate]
    if not rates:
        return _WINDOW
    return min(max(int(4 * latency * min(rates)), _SMALLEST_WINDOW), _WINDOW)


def _reset() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, "the link was reset")
