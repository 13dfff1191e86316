"""Two peers of 2007 and a node of today form one network in the old manner: real sockets, a real daemon."""

from __future__ import annotations

import importlib.util
import socket
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest
from cli_machine import Machine, wait_until

from peerage.classic import btconnection

HOST = "127.0.0.1"
EXAMPLE = Path(__file__).parents[2] / "examples" / "classic_filer.py"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def filer():
    spec = importlib.util.spec_from_file_location("classic_filer_in_network", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def node(tmp_path):
    machine = Machine(tmp_path / "node", f"test-{uuid.uuid4().hex}")
    machine.classic = free_port()
    machine.write("public/node song.ogg", b"from the node " * 1000)
    machine.write("notes.txt", b"not shared")
    machine.up("--classic", f"{HOST}:{machine.classic}")
    machine.do("share", "public")
    yield machine
    machine.try_to("down")
    machine.close()


@pytest.fixture
def make(filer):
    """Make old peers that listen; they end with the test."""
    running = []

    def make_one():
        peer = filer.FilerPeer(5, free_port(), HOST)
        loop = threading.Thread(target=peer.mainloop)
        loop.start()
        running.append((peer, loop))
        wait_until(lambda: peer.connectandsend(HOST, peer.serverport, "NAME", ""), "listening")
        return peer

    yield make_one
    for peer, loop in running:
        peer.shutdown = True
        loop.join(20)
        assert not loop.is_alive()


@pytest.fixture
def recorded(monkeypatch):
    """What this process sent and received, by the port it dialled."""
    record: dict[int, list[bytes]] = {}
    send, receive = btconnection.send_clear, btconnection.receive_clear

    def note(connection, mark, data):
        port = connection.getpeername()[1]
        if data and connection.getsockname()[1] != port:
            record.setdefault(port, []).append(mark + data)

    def recording_send(connection, data, timeout):
        note(connection, b">", data)
        send(connection, data, timeout)

    def recording_receive(connection, timeout):
        data = receive(connection, timeout)
        note(connection, b"<", data)
        return data

    monkeypatch.setattr(btconnection, "send_clear", recording_send)
    monkeypatch.setattr(btconnection, "receive_clear", recording_receive)
    return record


def message(code: str, text: str = "") -> bytes:
    return code.encode() + len(text.encode()).to_bytes(4, "big") + text.encode()


def known_at(peer, port: int) -> set[str]:
    return {line.split()[0] for _, line in peer.connectandsend(HOST, port, "LIST", "")[1:]}


def test_one_network(node, make, recorded, tmp_path) -> None:
    anna, bert = make(), make()
    node_id = f"{HOST}:{node.classic}"
    for peer, name in ((anna, "anna song.ogg"), (bert, "bert song.ogg")):
        (tmp_path / name).write_bytes(name.encode() * 100)
        peer.addlocalfile(tmp_path / name)

    # The deck's build-up: anna joins the node, bert joins anna, and finds the node behind her.
    recorded.clear()
    anna.buildpeers(HOST, node.classic)
    assert anna.getpeerids() == [node_id]
    assert b"".join(recorded[node.classic]) == b"".join(
        (
            b">" + message("NAME"),
            b"<" + message("REPL", node_id),
            b">" + message("JOIN", f"{anna.myid} {HOST} {anna.serverport}"),
            b"<" + message("REPL", f"Join: peer added: {anna.myid}"),
            b">" + message("LIST"),
            b"<" + message("REPL", "1") + message("REPL", f"{anna.myid} {HOST} {anna.serverport}"),
        )
    )
    bert.buildpeers(HOST, anna.serverport, hops=2)
    assert set(bert.getpeerids()) == {anna.myid, node_id}
    assert set(anna.getpeerids()) == {bert.myid, node_id}
    assert known_at(anna, node.classic) == {anna.myid, bert.myid}

    # A search in the old manner reaches both, and each file can be fetched.
    anna.query("song")
    names = wait_until(lambda: len(anna.found) == 2 and sorted(anna.found), "two answers")
    assert names == ["bert_song.ogg", "node%20song.ogg"]
    (tmp_path / "anna").mkdir()
    recorded.clear()
    assert anna.fetch("node%20song.ogg", tmp_path / "anna").read_bytes() == b"from the node " * 1000
    assert b"".join(recorded[node.classic][:1]) == b">" + message("FGET", "node%20song.ogg")
    assert anna.fetch("bert_song.ogg", tmp_path / "anna").read_bytes() == b"bert song.ogg" * 100

    # What is not shared is not there.
    recorded.clear()
    assert anna.connectandsend(HOST, node.classic, "FGET", "notes.txt") == [("ERRO", "File not found")]
    assert anna.connectandsend(HOST, node.classic, "FGET", str(node.files / "notes.txt"))[0][0] == "ERRO"
    assert anna.connectandsend(HOST, node.classic, "JOIN", "bad") == [("ERRO", "Join: incorrect arguments")]
    assert anna.connectandsend(HOST, node.classic, "PING", "") == []

    # A search of the node asks both old peers.
    found = node.do("search", "song", "--json", "--seconds", "10").json_lines
    assert {"anna_song.ogg", "bert_song.ogg", "node song.ogg"} <= {name for each in found for name in names_in(each)}

    # And they part.
    bert.leave()
    wait_until(lambda: known_at(anna, node.classic) == {anna.myid}, "bert being forgotten")
    assert anna.getpeerids() == [node_id]


def names_in(value) -> list[str]:
    """Every text in a piece of JSON."""
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [name for item in items for name in names_in(item)]


def test_an_old_peer_that_dies_is_noticed_and_one_that_comes_back_is_welcome(node, make, filer) -> None:
    anna = make()
    anna.buildpeers(HOST, node.classic)
    anna.startstabilizer(anna.checklivepeers, 0.2)
    assert anna.numberofpeers() == 1
    again = filer.FilerPeer(5, anna.serverport, HOST)  # starts anew under the same id, and knows nobody
    again.buildpeers(HOST, node.classic)
    assert again.getpeerids() == [f"{HOST}:{node.classic}"]
    node.do("down")
    end = time.monotonic() + 30
    while anna.numberofpeers():
        assert time.monotonic() < end
        time.sleep(0.05)
