"""BTPeer: the interface of the 2007 framework, for programs that were written for it.

    from peerage.classic import BTPeer, BTPeerConnection

A program that says `from btpeer import *` runs with a file `btpeer.py` beside it that says
`from peerage.classic.btpeer import *`. Names, arguments, defaults and results are the original's; where it was broken
this one is not, and docs/classic_api.md lists each difference.

Invariant: every call blocks, ends, and may come from any thread. The listening port, the threads of handlers and the
stabilizers are in `engine.py`, the messages in `btconnection.py`; nothing here is encrypted or authenticated.
Source: N. Abdul Hamid, "A lightweight framework for peer-to-peer programming", J. Comput. Sci. Coll. 22(5), 2007.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, Final

from peerage.classic.btconnection import BTPeerConnection, Text, btdebug
from peerage.classic.engine import Engine
from peerage.errors import LimitError
from peerage.identity.address import literal_ip
from peerage.limits import BTPEER_PINGS_AT_ONCE, MAX_BTPEER_PEERS
from peerage.transport.tcp_clear import Socket, listen_clear, outward_host

Handler = Callable[[BTPeerConnection, str], object]
Router = Callable[[Any], Sequence[Any]]

__all__ = ["BTPeer", "BTPeerConnection", "btdebug", "socket", "struct", "threading", "time", "traceback"]  # noqa: F822 -- by __getattr__
_ONCE_IMPORTED: Final = frozenset(__all__[3:])
"""What the original imports: programs that say `from btpeer import *` use these without importing them."""

_SHORTEST_DELAY: Final = 0.01  # seconds: a stabilizer with a delay of 0 must not keep a core busy


def __getattr__(name: str) -> object:
    if name in _ONCE_IMPORTED:
        return import_module(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class BTPeer:
    """One peer: known peers, handlers by message type, a router, stabilizers, and a port that others connect to.

    `maxpeers` 0 means no maximum of the program's own. Without `serverhost` it is the address from which this computer
    reaches others; without `myid` the id is `host:port`. Set `shutdown` to end the main loop and the stabilizers.
    """

    def __init__(
        self, maxpeers: int | str, serverport: int | str, myid: str | None = None, serverhost: str | None = None
    ) -> None:
        self.debug: bool | int = 0
        self.maxpeers = int(maxpeers)
        self.serverport = int(serverport)
        self.serverhost = serverhost or outward_host()
        self.myid = myid or f"{self.serverhost}:{self.serverport}"
        self.peerlock = threading.RLock()  # the program's, to take round several calls; it was no RLock in 2007
        self.peers: dict[Any, Any] = {}  # id -> (host, port), and place -> (id, host, port)
        self.handlers: dict[str, Handler] = {}
        self.router: Router | None = None
        self._shutdown = False
        self._inside = threading.Lock()  # for one look and one change; never held while anything is sent
        self._engine: Engine | None = None

    # --- what a program sets up ----------------------------------------------------------------------------------

    def setmyid(self, myid: str) -> None:
        """Be known by another id."""
        self.myid = myid

    def addhandler(self, msgtype: str, handler: Handler) -> None:
        """Let `handler(peerconn, msgdata)` answer a message type, four characters, in a thread where it may block."""
        assert len(msgtype) == 4, "a message type has four characters"
        self.handlers[msgtype] = handler

    def addrouter(self, router: Router) -> None:
        """Let `router(peerid)` return `(next_id, host, port)`, the next hop; a next_id of None means there is none."""
        self.router = router

    def startstabilizer(self, stabilizer: Callable[[], object], delay: float) -> None:
        """Call a function in a thread now and `delay` seconds after each time, also after a time that failed."""
        engine = self._running()
        if engine is not None:
            engine.repeat(stabilizer, max(float(delay), _SHORTEST_DELAY))

    # --- known peers ----------------------------------------------------------------------------------------------

    def addpeer(self, peerid: str, host: str, port: int | str) -> bool:
        """Know a peer; False when it is known already or the maximum is reached, ValueError when `port` is none."""
        with self._inside:
            if peerid in self.peers or len(self.peers) >= (self.maxpeers or MAX_BTPEER_PEERS):
                return False
            self.peers[peerid] = (host, _port(port))
            return True

    def getpeer(self, peerid: str) -> Any:
        """Return `(host, port)`; AssertionError when that peer is not known."""
        known = self.peers.get(peerid)
        assert known is not None, f"no peer {peerid} is known"
        return known

    def removepeer(self, peerid: str | None) -> None:
        """Forget a peer, known or not."""
        self.peers.pop(peerid, None)

    def addpeerat(self, loc: Any, peerid: str, host: str, port: int | str) -> None:
        """Know a peer by its place, such as a finger of a ring, whatever the maximum."""
        with self._inside:
            if loc not in self.peers and len(self.peers) >= MAX_BTPEER_PEERS:
                raise LimitError("MAX_BTPEER_PEERS", "ours", f"no more than {MAX_BTPEER_PEERS} peers can be known")
            self.peers[loc] = (peerid, host, _port(port))

    def getpeerat(self, loc: Any) -> Any:
        """Return `(peerid, host, port)`, or None for a place that is free."""
        return self.peers.get(loc)

    def removepeerat(self, loc: Any) -> None:
        """Free a place."""
        self.removepeer(loc)

    def getpeerids(self) -> list[Any]:
        """Return the ids, and places, that are known now."""
        return list(self.peers)

    def numberofpeers(self) -> int:
        """Return how many there are."""
        return len(self.peers)

    def maxpeersreached(self) -> bool:
        """Whether the program's maximum is reached; never, when that is 0."""
        return 0 < self.maxpeers <= len(self.peers)

    # --- sending ---------------------------------------------------------------------------------------------------

    def sendtopeer(
        self,
        peerid: str,
        msgtype: str,
        msgdata: str | bytes,
        waitreply: bool = True,  # noqa: FBT001, FBT002 -- as it was
    ) -> list[tuple[str, Text]] | None:
        """Send to the next hop that the router names; None without a router or a way, else as `connectandsend`."""
        way = self.router(peerid) if self.router else None
        if not way or not way[0]:
            self._debug(f"no way to {peerid} for {msgtype}")
            return None
        nextpid, host, port = way
        return self.connectandsend(host, port, msgtype, msgdata, pid=nextpid, waitreply=waitreply)

    def connectandsend(  # noqa: PLR0913, PLR0917 -- as it was
        self,
        host: str,
        port: int | str,
        msgtype: str,
        msgdata: str | bytes,
        pid: str | None = None,
        waitreply: bool = True,  # noqa: FBT001, FBT002 -- as it was
    ) -> list[tuple[str, Text]]:
        """Connect, send one message, and return the replies as (type, data) until the other side closes.

        The list is empty when nobody answers; it ends early when the other side falls silent or sends too much.
        """
        replies: list[tuple[str, Text]] = []
        try:
            peerconn = BTPeerConnection(pid, host, port, debug=self.debug)
        except (OSError, ValueError, OverflowError) as error:
            self._debug(f"nobody answers at {host}:{port}: {error}")
            return replies
        try:
            self._debug(f"sends {msgtype} to {pid or host}")
            if peerconn.senddata(msgtype, msgdata) and waitreply:
                _collect(peerconn, replies)
        finally:
            peerconn.close()
        return replies

    def checklivepeers(self) -> None:
        """Connect to every known peer, and forget those where nobody answers; a stabilizer by itself."""
        known = list(self.peers.items())
        with ThreadPoolExecutor(BTPEER_PINGS_AT_ONCE, "checklivepeers") as pool:
            alive = list(pool.map(lambda entry: self._answers(*entry), known))
        with self.peerlock, self._inside:
            for (key, entry), lives in zip(known, alive, strict=True):
                if not lives and self.peers.get(key) is entry:  # it may have come back meanwhile
                    del self.peers[key]

    # --- listening ---------------------------------------------------------------------------------------------------

    def makeserversocket(self, port: int, backlog: int = 5) -> Socket:
        """Return a listening IPv4 socket on every interface, or on this computer's own if `serverhost` is that."""
        literal = literal_ip("127.0.0.1" if self.serverhost == "localhost" else self.serverhost)
        return listen_clear(str(literal) if literal is not None and literal.is_loopback else "", port, backlog)

    def mainloop(self) -> None:
        """Answer whoever connects until `shutdown` is set; raises OSError when the port cannot be had."""
        listening = self.makeserversocket(self.serverport)
        try:
            engine = self._running()
            if engine is not None:
                self._serve(engine, listening)
        finally:
            listening.close()

    @property
    def shutdown(self) -> bool:
        """Whether this peer has ended; True ends it from any thread, and handlers have a moment to finish."""
        return self._shutdown

    @shutdown.setter
    def shutdown(self, ended: bool | int) -> None:
        with self._inside:
            self._shutdown = bool(ended)
            engine = self._engine
            if self._shutdown:
                self._engine = None
        if self._shutdown and engine is not None:
            engine.stop()

    # --- inside ------------------------------------------------------------------------------------------------------

    def _running(self) -> Engine | None:
        """Return the engine, started when it is first needed; None after the end."""
        with self._inside:
            if self._engine is None and not self._shutdown:
                self._engine = Engine(self._answer, self.myid)
            return self._engine

    def _serve(self, engine: Engine, listening: Socket) -> None:
        try:
            engine.serve(listening)
            self._debug(f"{self.myid} listens at port {self.serverport}")
            engine.wait()
        except KeyboardInterrupt:
            btdebug("stops: interrupted from the keyboard")
            self.shutdown = True
            engine.wait()

    def _answer(self, peerconn: BTPeerConnection) -> None:
        """Give a request that has come to its handler; one that has none is closed without an answer."""
        msgtype, msgdata = peerconn.recvdata()
        handler = self.handlers.get(msgtype.upper()) if msgtype is not None else None
        if handler is None or msgdata is None:
            self._debug(f"has no handler for {msgtype!r} from {peerconn.host}")
            return
        self._debug(f"handles {msgtype} from {peerconn.host}")
        handler(peerconn, msgdata)

    def _answers(self, key: Any, entry: Any) -> bool:
        *_, host, port = entry
        try:
            peerconn = BTPeerConnection(key, host, port, debug=self.debug)
        except (OSError, ValueError, OverflowError):
            return False
        peerconn.senddata("PING", "")
        peerconn.close()
        return True

    def _debug(self, msg: str) -> None:
        if self.debug:
            btdebug(msg)


def _collect(peerconn: BTPeerConnection, replies: list[tuple[str, Text]]) -> None:
    """Add every reply until there is none."""
    while True:
        msgtype, msgdata = peerconn.recvdata()
        if msgtype is None or msgdata is None:
            return
        replies.append((msgtype, msgdata))


def _port(port: int | str) -> int:
    """Return a port that can be dialled; ValueError for all others."""
    number = int(port)
    if not 0 < number < 65536:
        raise ValueError(f"{port} is not a port: one from 1 to 65535 is")
    return number
