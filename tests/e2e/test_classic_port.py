"""`peerage up --classic` as a real process, with peers of 2007 played by plain sockets written from the old protocol.

The played peer shares no code with the product: one thread for each connection, blocking sockets, the Python original's
answers. What it sends and gets is compared byte for byte with recorded exchanges.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_machine import Machine, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

GIB = 1024 * 1024 * 1024
POOL = 8  # threads that a node may start for the disk, at first use


def talk(port: int, code: bytes, payload: bytes = b"") -> bytes:
    """One exchange as the old program makes it: connect, send, read until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(struct.pack("!4sL", code, len(payload)) + payload)
        received = b""
        while data := connection.recv(65536):
            received += data
    return received


def parts(data: bytes) -> list[tuple[str, bytes]]:
    found = []
    while data:
        code, length = struct.unpack("!4sL", data[:8])
        assert len(data) >= 8 + length
        found.append((code.decode(), data[8 : 8 + length]))
        data = data[8 + length :]
    return found


class OldNode:
    """The file sharing node of 2007, as small as it can be and as trusting as it was."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.id = f"127.0.0.1:{self.port}"
        self.peers: dict[str, tuple[str, int]] = {}
        self.files: dict[str, str | None] = {}
        self.content: dict[str, bytes] = {}
        self.lock = threading.Lock()
        threading.Thread(target=self._main_loop, daemon=True).start()

    def close(self) -> None:
        self.listening.close()

    def share(self, name: str, content: bytes) -> None:
        self.content[name] = content
        self.files[name] = None

    def build_peers(self, port: int, hops: int) -> None:
        if not hops:
            return
        peer_id = parts(talk(port, b"NAME"))[0][1].decode()
        reply = parts(talk(port, b"JOIN", f"{self.id} 127.0.0.1 {self.port}".encode()))[0]
        if reply[0] != "REPL" or peer_id in self.peers:
            return
        self.peers[peer_id] = ("127.0.0.1", port)
        lines = parts(talk(port, b"LIST"))
        assert int(lines[0][1]) == len(lines) - 1
        for _, line in lines[1:]:
            other, _, other_port = line.decode().split()
            if other != self.id:
                self.build_peers(int(other_port), hops - 1)

    def query(self, key: str, ttl: int = 4) -> None:
        for _, port in list(self.peers.values()):
            assert parts(talk(port, b"QUER", f"{self.id} {key} {ttl}".encode())) == [
                ("REPL", f"Query ACK: {key}".encode())
            ]

    def _main_loop(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        with connection:
            header = connection.recv(8, socket.MSG_WAITALL)
            if len(header) < 8:
                return
            code, length = struct.unpack("!4sL", header)
            payload = connection.recv(length, socket.MSG_WAITALL) if length else b""
            try:
                for kind, answer in self._answer(code.decode(), payload.decode()):
                    connection.sendall(struct.pack("!4sL", kind.encode(), len(answer)) + answer)
            except OSError:
                pass

    def _answer(self, code: str, text: str) -> list[tuple[str, bytes]]:
        with self.lock:
            match code:
                case "NAME":
                    return [("REPL", self.id.encode())]
                case "LIST":
                    lines = [f"{each} {host} {port}".encode() for each, (host, port) in self.peers.items()]
                    return [("REPL", str(len(lines)).encode()), *(("REPL", line) for line in lines)]
                case "JOIN":
                    peer_id, host, port = text.split()
                    if peer_id in self.peers or peer_id == self.id:
                        return [("ERRO", f"Join: peer already inserted {peer_id}".encode())]
                    self.peers[peer_id] = (host, int(port))
                    return [("REPL", f"Join: peer added: {peer_id}".encode())]
                case "QUER":
                    return_id, key, ttl = text.split()
                    threading.Thread(target=self._search, args=(return_id, key, int(ttl)), daemon=True).start()
                    return [("REPL", f"Query ACK: {key}".encode())]
                case "RESP":
                    name, holder = text.split()
                    self.files.setdefault(name, holder)
                    return []
                case "FGET":
                    content = self.content.get(text)
                    return [("REPL", content)] if content is not None else [("ERRO", b"File not found")]
                case "QUIT":
                    known = self.peers.pop(text.strip(), None)
                    answer = f"Quit: peer removed: {text}" if known else f"Quit: peer not found: {text}"
                    return [("REPL" if known else "ERRO", answer.encode())]
        return []

    def _search(self, return_id: str, key: str, ttl: int) -> None:
        try:
            for name, holder in list(self.files.items()):
                if key in name:
                    talk(int(return_id.rpartition(":")[2]), b"RESP", f"{name} {holder or self.id}".encode())
                    return
            if ttl > 0:
                for _, port in list(self.peers.values()):
                    talk(port, b"QUER", f"{return_id} {key} {ttl - 1}".encode())
        except OSError:
            pass


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "computer", f"classic-{os.getpid()}")
    yield machine
    machine.close()


@pytest.fixture
def old_nodes() -> Iterator[tuple[OldNode, OldNode]]:
    nodes = OldNode(), OldNode()
    yield nodes
    for each in nodes:
        each.close()


def up(machine: Machine, *more: str) -> int:
    """Start the node with a classic port and return that port."""
    status = machine.up("--classic", "127.0.0.1:0", *more)
    assert any("neither encrypted nor authenticated" in notice for notice in status["notices"])
    return int(status["classic"].rpartition(":")[2])


def test_two_old_peers_and_a_node_are_one_network(machine: Machine, old_nodes: tuple[OldNode, OldNode]) -> None:
    one, two = old_nodes
    one.share("old-notes.txt", b"from the old peer\n" * 1000)
    machine.write("notes from today.txt", b"hello from today\n")
    port = up(machine)
    machine.do("share", "notes from today.txt")

    two.build_peers(one.port, 2)
    one.build_peers(port, 2)  # an old peer comes to the node ...
    assert f"127.0.0.1:{port}" in one.peers
    assert machine.do("status", "--json").json["old_peers"] == 1
    machine.do("connect", "--classic", f"127.0.0.1:{one.port}")  # ... and the node to old peers, two hops far
    assert machine.do("status", "--json").json["old_peers"] == 2
    assert f"127.0.0.1:{port}" in two.peers
    listed = machine.do("peers", "--classic", "--json").json_lines
    assert [(each["id"], each["answered"]) for each in listed] == [(one.id, True), (two.id, True)]
    assert "has answered" in machine.do("peers", "--classic").out

    two.query("notes")
    wait_until(lambda: len(two.files) == 2, "both answers")
    wire_name = "notes%20from%20today.txt"
    assert two.files == {"old-notes.txt": one.id, wire_name: f"127.0.0.1:{port}"}
    assert parts(talk(port, b"FGET", wire_name.encode())) == [("REPL", b"hello from today\n")]

    def unverified() -> list[dict[str, Any]]:
        return [each for each in machine.do("search", "notes", "--json").json_lines if each.get("unverified")]

    (hit,) = wait_until(unverified, "the answer of the old peer")
    assert (hit["name"], hit["holders"], hit["link"]) == ("old-notes.txt", [], f"classic://{one.id}/old-notes.txt")

    def table() -> str:
        said = machine.do("search", "notes").out
        return said if "unverified" in said else ""

    assert "old-notes.txt" in wait_until(table, "a table with it")
    (hit,) = wait_until(unverified, "the answer of the old peer")
    transfer = machine.do("get", str(hit["number"]), "--into", "got", "--json").json
    assert transfer["state"] == "done"
    assert transfer["unverified"]
    assert (machine.files / "got" / "old-notes.txt").read_bytes() == b"from the old peer\n" * 1000

    two.files.clear()
    machine.do("down")
    assert f"127.0.0.1:{port}" not in one.peers  # it said QUIT
    assert f"127.0.0.1:{port}" not in two.peers


def test_recorded_exchanges_byte_for_byte(machine: Machine) -> None:
    machine.write("notes.txt", b"hello from B\nline two\n")
    port = up(machine)
    machine.do("share", "notes.txt")
    me, other = f"127.0.0.1:{port}".encode(), b"127.0.0.1:19512"
    assert talk(port, b"NAME") == b"REPL" + len(me).to_bytes(4, "big") + me
    join = bytes.fromhex("4a4f494e 0000001f 3132372e302e302e313a3139353132203132372e302e302e31203139353132")
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(join)
        added = b"".join(iter(lambda: connection.recv(4096), b""))
    assert added == bytes.fromhex(
        "5245504c 00000021 4a6f696e3a20706565722061646465643a20 3132372e302e302e313a3139353132"
    )
    assert talk(port, b"LIST") == b"REPL\0\0\0\x011REPL\0\0\0\x1f127.0.0.1:19512 127.0.0.1 19512"
    own = b"Join: peer already inserted " + me
    assert talk(port, b"JOIN", me + b" 127.0.0.1 " + str(port).encode()) == b"ERRO" + len(own).to_bytes(4, "big") + own
    assert talk(port, b"QUER", b"127.0.0.1:19510 notes 4") == bytes.fromhex(
        "5245504c 00000010 51756572792041434b3a206e6f746573"
    )
    text = bytes.fromhex("5245504c 00000016 68656c6c6f2066726f6d20420a6c696e652074776f0a")
    assert talk(port, b"FGET", b"notes.txt") == text
    assert talk(port, b"FGET", b"nothing") == bytes.fromhex("4552524f 0000000e 46696c65206e6f7420666f756e64")
    assert talk(port, b"PING") == b""
    assert talk(port, b"RESP", b"notes.txt 127.0.0.1:19511") == b""
    removed = b"Quit: peer removed: " + other
    assert talk(port, b"QUIT", other) == b"REPL" + len(removed).to_bytes(4, "big") + removed
    assert talk(port, b"QUIT", b"p1") == bytes.fromhex(
        "4552524f 00000018 517569743a2070656572206e6f7420666f756e643a207031"
    )


def test_it_is_off_unless_asked_for(machine: Machine) -> None:
    status = machine.up()
    assert status["classic"] == ""
    assert not any("classic" in notice for notice in status["notices"])
    refused = machine.try_to("connect", "--classic", "127.0.0.1:1")
    assert refused.status == 1
    assert "up --classic HOST:PORT" in refused.err


def memory(pid: int) -> tuple[int, int]:
    """Resident bytes of a process, now and at the most."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) * 1024, int(lines["VmHWM"].split()[0]) * 1024


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory of a process from /proc")
def test_two_gibibytes_through_the_gateway_stay_below_100_mebibytes(machine: Machine) -> None:
    size = 2 * GIB
    large = machine.write("large.bin", b"")
    with large.open("r+b") as file:
        file.truncate(size)
        file.seek(GIB)
        file.write(b"in the middle")
    port = up(machine)
    machine.do("share", "large.bin")
    pid = machine.do("status", "--json").json["pid"]
    before, _ = memory(pid)
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the highest mark begins anew
    buffer, received = bytearray(1024 * 1024), 0
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(struct.pack("!4sL", b"FGET", 9) + b"large.bin")
        head = connection.recv(8, socket.MSG_WAITALL)
        assert struct.unpack("!4sL", head) == (b"REPL", size)
        while count := connection.recv_into(buffer):
            received += count
    assert received == size
    _, most = memory(pid)
    print(f"RSS before {before / 1e6:.0f} MB, at the most {most / 1e6:.0f} MB")
    assert most < 100 * 1024 * 1024


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="counts the threads and files of a process in /proc")
def test_ten_thousand_requests_from_fifty_threads_leave_nothing_behind(machine: Machine) -> None:
    machine.write("notes.txt", b"hello from B\nline two\n")
    port = up(machine)
    machine.do("share", "notes.txt")
    pid = machine.do("status", "--json").json["pid"]
    requests = [
        (b"NAME", b""),
        (b"LIST", b""),
        (b"JOIN", b"127.0.0.1:9 127.0.0.1 9"),
        (b"QUER", b"127.0.0.1:9 nothing 0"),
        (b"FGET", b"notes.txt"),
        (b"RESP", b"x 127.0.0.1:9"),
        (b"PING", b""),
        (b"QUIT", b"p1"),
        (b"HELO", b"what"),
        (b"JOIN", b"malformed"),
    ]
    answered = [0] * 50

    def client(number: int, rounds: int) -> None:
        for turn in range(rounds):
            code, payload = requests[(number + turn) % len(requests)]
            answer = parts(talk(port, code, payload))
            answered[number] += bool(answer) == (code not in {b"RESP", b"PING", b"HELO"})

    def fifty(rounds: int) -> None:
        workers = [threading.Thread(target=client, args=(number, rounds)) for number in range(50)]
        for each in workers:
            each.start()
        for each in workers:
            each.join()

    fifty(40)  # whatever is made on first use is there now
    wait_until(lambda: open_files(pid) < 60, "the end of all connections")
    files, running, (resident, _) = open_files(pid), threads(pid), memory(pid)
    fifty(160)
    assert sum(answered) == 10_000
    wait_until(lambda: open_files(pid) <= files, "the end of all connections")
    grown = memory(pid)[0] - resident
    print(f"files {files} -> {open_files(pid)}, threads {running} -> {threads(pid)}, RSS {grown / 1e6:+.1f} MB")
    assert threads(pid) <= running + POOL
    assert grown < 8 * 1024 * 1024
    assert parts(talk(port, b"NAME")) == [("REPL", f"127.0.0.1:{port}".encode())]
