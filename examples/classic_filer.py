"""File sharing as in 2007, on the classic interface: the application that the framework was first shown with.

    python examples/classic_filer.py 5601 --share notes.txt            the first peer, which shares a file
    python examples/classic_filer.py 5602 --join 127.0.0.1:5601        the second, which joins it

Then type: search KEY, fetch NAME, files, peers, share FILE, quit. It speaks the nine messages of 2007, so it also talks
to peers of that time and to `peerage up --classic HOST:PORT`. Nothing is encrypted, and nobody proves who he is: use it
to learn, on a network that you trust. What can be bounded is bounded here, and each bound says against what.
"""

import argparse
import collections
import ipaddress
import pathlib
import re
import sys
import threading
import time

from peerage.classic import BTPeer, BTPeerConnection

TTL, MAX_TTL = 4, 7  # of our queries, and of those that we pass on: a peer may ask for a million
MAX_ANSWERS = 20  # of one query
MAX_FOUND, MAX_HOLDERS = 1000, 8  # names that others told us of, and holders of one
MAX_FILE = 64 * 2**20  # an FGET carries the whole file in one message, which both sides hold in memory
DIALS_A_SECOND = 50  # for queries of others: their return address may be somebody who never asked
FORGET_QUERY = 10.0  # seconds in which the same query counts as one that has come in a circle


class FilerPeer(BTPeer):
    """A peer that shares files by name."""

    def __init__(self, maxpeers: int, serverport: int, serverhost: str | None = None) -> None:
        super().__init__(maxpeers, serverport, serverhost=serverhost)
        self.files: dict[str, pathlib.Path] = {}  # what we share: only these are ever read
        self.found: dict[str, list[str]] = {}  # what others share: name -> ids of its holders
        self.asked: collections.deque[str] = collections.deque(maxlen=100)  # keys that we are looking for
        self.seen: dict[tuple[str, str], float] = {}  # queries that passed here lately
        self.dials: collections.deque[float] = collections.deque(maxlen=DIALS_A_SECOND)
        self.addrouter(self.route)
        for msgtype, handler in {
            "NAME": self.handle_name,
            "LIST": self.handle_list,
            "JOIN": self.handle_join,
            "QUER": self.handle_query,
            "RESP": self.handle_response,
            "FGET": self.handle_fileget,
            "QUIT": self.handle_quit,
        }.items():
            self.addhandler(msgtype, handler)

    def route(self, peerid: str) -> tuple[str | None, str | None, int | None]:
        """Everyone we know is one step away, everyone else cannot be reached."""
        known = self.peers.get(peerid)
        return (peerid, *known) if known else (None, None, None)

    # --- what the person at this peer can do ----------------------------------------------------------------------

    def buildpeers(self, host: str, port: int | str, hops: int = 1) -> None:
        """Join whoever listens there, and those that he knows, up to so many hops away."""
        name = self.connectandsend(host, port, "NAME", "")
        if self.maxpeersreached() or hops < 1 or not name or name[0][1] in (self.myid, *self.getpeerids()):
            return
        peerid = name[0][1]
        joined = self.connectandsend(host, port, "JOIN", f"{self.myid} {self.serverhost} {self.serverport}")
        listed = [line.split() for _, line in self.connectandsend(host, port, "LIST", "", pid=peerid)[1:]]
        neighbours = [fields for fields in listed if len(fields) == 3]
        known_there = self.myid in [fields[0] for fields in neighbours]  # when we come back, JOIN is refused
        if (joined and joined[0][0] == "REPL") or known_there:
            self.addpeer(peerid, host, port)
            for _, nexthost, nextport in neighbours[:100]:
                self.buildpeers(nexthost, nextport, hops - 1)

    def addlocalfile(self, filename: str) -> str:
        """Share a file; return the name under which others find it, without what 2007 cannot send in a name."""
        path = pathlib.Path(filename).resolve(strict=True)
        name = plain(path.name)
        self.files[name] = path
        return name

    def query(self, key: str, ttl: int = TTL) -> None:
        """Ask all neighbours; what they and those behind them have appears in `found`, by and by."""
        key = plain(key)
        if key:
            self.asked.append(key)
            self.seen[self.myid, key] = time.monotonic()
        for peerid in self.getpeerids() if key else ():
            self.sendtopeer(peerid, "QUER", f"{self.myid} {key} {ttl}")

    def fetch(self, name: str, folder: str) -> pathlib.Path | None:
        """Get a file that was found from the first holder who has it; never over a file that is there already."""
        target = pathlib.Path(folder) / name
        if not is_plain(name) or target.exists():
            return None
        for holder in self.found.get(name, ()):
            host, _, port = holder.rpartition(":")
            for msgtype, data in self.connectandsend(host, port, "FGET", name, pid=holder)[:1]:
                if msgtype == "REPL":
                    with target.open("xb") as file:
                        file.write(bytes(data))
                    return target
        return None

    def leave(self) -> None:
        """Say goodbye to all neighbours, and end."""
        for peerid in self.getpeerids():
            self.sendtopeer(peerid, "QUIT", self.myid)
        self.shutdown = True

    # --- the seven handlers ---------------------------------------------------------------------------------------

    def handle_name(self, peerconn: BTPeerConnection, _data: str) -> None:
        peerconn.senddata("REPL", self.myid)

    def handle_list(self, peerconn: BTPeerConnection, _data: str) -> None:
        known = list(self.peers.items())  # first a copy: who reads slowly must not hold up the others
        peerconn.senddata("REPL", str(len(known)))
        for peerid, (host, port) in known:
            peerconn.senddata("REPL", f"{peerid} {host} {port}")

    def handle_join(self, peerconn: BTPeerConnection, data: str) -> None:
        try:
            peerid, host, port = data.split()
            if self.maxpeersreached():
                peerconn.senddata("ERRO", "Join: too many peers")
            elif not is_at(host, peerconn):
                peerconn.senddata("ERRO", "Join: that host is not where you are")
            elif peerid != self.myid and self.addpeer(peerid, host, port):
                peerconn.senddata("REPL", f"Join: peer added: {peerid}")
            else:
                peerconn.senddata("ERRO", f"Join: peer already inserted {peerid}")
        except ValueError:
            peerconn.senddata("ERRO", "Join: incorrect arguments")

    def handle_query(self, peerconn: BTPeerConnection, data: str) -> None:
        try:
            asker, key, ttl = data.split()
            hops = min(int(ttl), MAX_TTL)
        except ValueError:
            peerconn.senddata("ERRO", "Query: incorrect arguments")
            return
        peerconn.senddata("REPL", f"Query ACK: {key}")
        peerconn.close()  # who asked need not wait while we search
        if self.is_new(asker, key):
            self.answer(asker, key)
            for peerid in self.getpeerids() if hops > 0 else ():
                if peerid != asker and self.may_dial():
                    self.sendtopeer(peerid, "QUER", f"{asker} {key} {hops - 1}")

    def handle_response(self, _peerconn: BTPeerConnection, data: str) -> None:
        name, _, holder = data.strip().rpartition(" ")
        wanted = any(key in name for key in list(self.asked))  # nobody fills our list with what we never asked for
        if wanted and is_plain(name) and ":" in holder and holder != self.myid and len(self.found) < MAX_FOUND:
            holders = self.found.setdefault(name, [])
            if holder not in holders and len(holders) < MAX_HOLDERS:
                holders.append(holder)

    def handle_fileget(self, peerconn: BTPeerConnection, data: str) -> None:
        path = self.files.get(data)
        if path is None:
            peerconn.senddata("ERRO", "File not found")
            return
        try:
            content = path.read_bytes() if path.stat().st_size <= MAX_FILE else None
        except OSError:
            content = None
        if content is None:
            peerconn.senddata("ERRO", "Error reading file")
        else:
            peerconn.senddata("REPL", content)

    def handle_quit(self, peerconn: BTPeerConnection, data: str) -> None:
        peerid = data.strip()
        known = self.peers.get(peerid)
        if known and is_at(known[0], peerconn):
            peerconn.senddata("REPL", f"Quit: peer removed: {peerid}")
            self.removepeer(peerid)
        else:
            peerconn.senddata("ERRO", f"Quit: peer not found: {peerid}")

    # --- inside -----------------------------------------------------------------------------------------------------

    def answer(self, asker: str, key: str) -> None:
        """Tell who asked of each file of ours whose name contains the key."""
        host, _, port = asker.rpartition(":")
        matches = [name for name in list(self.files) if key in name]
        for name in matches[:MAX_ANSWERS]:
            if asker != self.myid and self.may_dial():
                self.connectandsend(host, port, "RESP", f"{name} {self.myid}", pid=asker)

    def is_new(self, asker: str, key: str) -> bool:
        """Whether a query has not just passed here: queries of 2007 carry no id, so circles are known by their text."""
        with self.peerlock:
            now = time.monotonic()
            self.seen = {each: when for each, when in self.seen.items() if now - when < FORGET_QUERY}
            if (asker, key) in self.seen or len(self.seen) >= MAX_FOUND:
                return False
            self.seen[asker, key] = now
            return True

    def may_dial(self) -> bool:
        """Whether we dial now for somebody else, or have done so often enough in this second."""
        with self.peerlock:
            now = time.monotonic()
            if len(self.dials) == DIALS_A_SECOND and now - self.dials[0] < 1.0:
                return False
            self.dials.append(now)
            return True


def plain(text: str) -> str:
    """Return a text that fits into one field of a message: the fields end at blanks, and at colons in places."""
    return re.sub(r"[\s:]+", "_", text.strip())


def is_plain(name: str) -> bool:
    """Whether a name is one file name in one folder: nothing that leads elsewhere, nothing hidden."""
    return name.isprintable() and not name.startswith(".") and not set(name) & set('/\\:<>"|?*') and 0 < len(name) < 200


def is_at(host: str, peerconn: BTPeerConnection) -> bool:
    """Whether a peer speaks for itself: it calls from that host, or from this very computer."""
    return host == peerconn.host or ipaddress.ip_address(peerconn.host).is_loopback


def obey(peer: FilerPeer, command: str, argument: str) -> None:
    """Do what was typed."""
    if command == "search":
        peer.query(argument)
    elif command == "fetch":
        print(f"fetched {peer.fetch(argument, '.')}")
    elif command == "share":
        print(f"shares {peer.addlocalfile(argument)}")
    elif command == "files":
        print(*[f"{name} (local)" for name in peer.files], *peer.found, sep="\n")
    elif command == "peers":
        print(*peer.getpeerids(), sep="\n")
    else:
        print("search KEY, fetch NAME, files, peers, share FILE, quit")


def main() -> None:
    parser = argparse.ArgumentParser(description="File sharing as in 2007.")
    parser.add_argument("port", type=int)
    parser.add_argument(
        "--host", default="127.0.0.1", help="where others find this peer; default: only on this computer"
    )
    parser.add_argument("--join", metavar="HOST:PORT", help="a peer to begin with")
    parser.add_argument("--hops", type=int, default=2)
    parser.add_argument("--maxpeers", type=int, default=5)
    parser.add_argument("--share", metavar="FILE", nargs="*", default=[])
    options = parser.parse_args()
    peer = FilerPeer(options.maxpeers, options.port, options.host)
    for filename in options.share:
        print(f"shares {peer.addlocalfile(filename)}", flush=True)
    listening = threading.Thread(target=peer.mainloop)
    listening.start()
    peer.startstabilizer(peer.checklivepeers, 10)
    if options.join:
        host, _, port = options.join.rpartition(":")
        peer.buildpeers(host, port, options.hops)
    print(f"{peer.myid} knows {peer.numberofpeers()} peers", flush=True)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "quit":
            break
        try:
            obey(peer, command, argument)
        except OSError as error:
            print(error)
        sys.stdout.flush()
    peer.leave()
    listening.join()


if __name__ == "__main__":
    main()
