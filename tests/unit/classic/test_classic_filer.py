"""The application of 2007, examples/classic_filer.py: its exchanges byte for byte, its network, and its defences."""

from __future__ import annotations

import importlib.util
import sys
import threading
from pathlib import Path

import pytest
from classic_peers import HOST, PATIENCE, exchange, free_port, listening, message

EXAMPLE = Path(__file__).parents[3] / "examples" / "classic_filer.py"


@pytest.fixture(scope="module")
def filer():
    """The example as a module."""
    spec = importlib.util.spec_from_file_location("classic_filer", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def make(filer):
    return lambda maxpeers=5: filer.FilerPeer(maxpeers, free_port(), HOST)


@pytest.fixture
def peer(make):
    peer = make()
    with listening(peer):
        yield peer


def told(peer) -> threading.Event:
    """What is set as soon as somebody has told the peer of a name."""
    event = threading.Event()

    def handle(peerconn, msgdata):
        peer.handle_response(peerconn, msgdata)
        event.set()

    peer.addhandler("RESP", handle)
    return event


def line(text: str) -> bytes:
    return message(b"REPL", text.encode())


def error(text: str) -> bytes:
    return message(b"ERRO", text.encode())


# --- byte for byte ---------------------------------------------------------------------------------------------------


def test_name(peer) -> None:
    assert exchange(peer.serverport, bytes.fromhex("4e414d4500000000")) == line(peer.myid)


def test_join_in_every_way(peer) -> None:
    peer.maxpeers = 2
    join = lambda text: exchange(peer.serverport, message(b"JOIN", text.encode()))  # noqa: E731
    assert join("127.0.0.1:19512 127.0.0.1 19512") == line("Join: peer added: 127.0.0.1:19512")
    assert join("127.0.0.1:19512 127.0.0.1 19512") == error("Join: peer already inserted 127.0.0.1:19512")
    assert join(f"{peer.myid} 127.0.0.1 1") == error(f"Join: peer already inserted {peer.myid}")
    for malformed in ("", "a b", "a b c d", "a 127.0.0.1 port", "a 127.0.0.1 99999", "a 127.0.0.1 0"):
        assert join(malformed) == error("Join: incorrect arguments")
    assert join("b  127.0.0.1\t19513") == line("Join: peer added: b")
    assert join("c 127.0.0.1 19514") == error("Join: too many peers")
    assert peer.peers == {"127.0.0.1:19512": (HOST, 19512), "b": (HOST, 19513)}


def test_list(peer) -> None:
    assert exchange(peer.serverport, message(b"LIST")) == line("0")
    peer.addpeer("127.0.0.1:19512", HOST, 19512)
    peer.addpeer("bert", HOST, 5602)
    said = line("2") + line("127.0.0.1:19512 127.0.0.1 19512") + line("bert 127.0.0.1 5602")
    assert exchange(peer.serverport, message(b"LIST", b"ignored")) == said


def test_query_is_acknowledged_and_answered_by_a_connection_of_its_own(peer, make, tmp_path) -> None:
    asker = make()
    (tmp_path / "notes.txt").write_text("x")
    peer.addlocalfile(tmp_path / "notes.txt")
    asker.asked.append("notes")
    answered = told(asker)
    with listening(asker):
        query = f"{asker.myid} notes 4".encode()
        assert exchange(peer.serverport, message(b"QUER", query)) == line("Query ACK: notes")
        assert answered.wait(PATIENCE)
    assert asker.found == {"notes.txt": [peer.myid]}


@pytest.mark.parametrize("malformed", ["", "a", "a b", "a b c d", "a b many"])
def test_a_malformed_query_is_refused(peer, malformed) -> None:
    assert exchange(peer.serverport, message(b"QUER", malformed.encode())) == error("Query: incorrect arguments")


def test_fetch(peer, tmp_path) -> None:
    content = b"hello from B\nline two\n"
    (tmp_path / "notes.txt").write_bytes(content)
    assert peer.addlocalfile(tmp_path / "notes.txt") == "notes.txt"
    fetch = lambda name: exchange(peer.serverport, message(b"FGET", name))  # noqa: E731
    assert fetch(b"notes.txt") == bytes.fromhex("5245504c00000016") + content
    assert fetch(b"other") == fetch(b"") == fetch(b" notes.txt") == error("File not found")
    (tmp_path / "notes.txt").unlink()
    assert fetch(b"notes.txt") == error("Error reading file")


def test_quit(peer) -> None:
    peer.addpeer("127.0.0.1:19510", HOST, 19510)
    leave = lambda name: exchange(peer.serverport, message(b"QUIT", name))  # noqa: E731
    assert leave(b" 127.0.0.1:19510 ") == line("Quit: peer removed: 127.0.0.1:19510")
    assert leave(b"p1") == error("Quit: peer not found: p1")


def test_response_and_ping_have_no_answer(peer) -> None:
    assert exchange(peer.serverport, message(b"RESP", b"notes.txt 127.0.0.1:19511")) == b""
    assert exchange(peer.serverport, message(b"RESP", b"malformed")) == b""
    assert exchange(peer.serverport, message(b"PING")) == b""


# --- a network -------------------------------------------------------------------------------------------------------


def test_three_peers_find_each_other_search_fetch_and_part(make, tmp_path) -> None:
    anna, bert, carl = make(), make(), make()
    (tmp_path / "a song: live.ogg").write_bytes(bytes(range(256)) * 40)
    assert anna.addlocalfile(tmp_path / "a song: live.ogg") == "a_song_live.ogg"
    with listening(anna, bert, carl):
        bert.buildpeers(HOST, anna.serverport)
        carl.buildpeers(HOST, bert.serverport, hops=2)
        for one in (anna, bert, carl):
            assert sorted([one.myid, *one.getpeerids()]) == sorted(each.myid for each in (anna, bert, carl))
        anna.removepeer(carl.myid)
        carl.removepeer(anna.myid)  # now the question has to pass bert
        answered = told(carl)
        carl.query("song")
        assert answered.wait(PATIENCE)
        assert carl.found == {"a_song_live.ogg": [anna.myid]}
        (tmp_path / "carl").mkdir()
        target = carl.fetch("a_song_live.ogg", tmp_path / "carl")
        assert target.read_bytes() == bytes(range(256)) * 40
        assert carl.fetch("a_song_live.ogg", tmp_path / "carl") is None  # never over a file that is there
        assert carl.fetch("unknown", tmp_path) is None
        anna.leave()
        assert bert.getpeerids() == [carl.myid]


def test_who_died_and_came_back_joins_again(make) -> None:
    """In 2007 it was told "already inserted", and stayed alone."""
    anna, bert = make(), make()
    with listening(anna, bert):
        bert.buildpeers(HOST, anna.serverport)
        bert.removepeer(anna.myid)  # bert starts again and knows nobody; anna has not noticed
        bert.buildpeers(HOST, anna.serverport)
        assert bert.getpeerids() == [anna.myid]


def test_building_up_stops_where_there_is_no_room_or_nobody(make) -> None:
    anna, bert, carl = make(1), make(), make()
    with listening(anna, bert, carl):
        carl.buildpeers(HOST, free_port())
        carl.buildpeers(HOST, anna.serverport, hops=0)
        carl.buildpeers(HOST, carl.serverport)
        assert carl.getpeerids() == []
        bert.buildpeers(HOST, anna.serverport)
        carl.buildpeers(HOST, anna.serverport)
        assert (anna.getpeerids(), carl.getpeerids()) == ([bert.myid], [])


# --- what could be done to it in 2007 --------------------------------------------------------------------------------


def test_no_file_is_read_that_is_not_shared(peer, tmp_path) -> None:
    """RESP put a path into the table, and FGET served it."""
    (tmp_path / "secret").write_text("mine")
    peer.asked.append("secret")
    exchange(peer.serverport, message(b"RESP", f"{tmp_path}/secret 127.0.0.1:1".encode()))
    exchange(peer.serverport, message(b"RESP", b"secret 127.0.0.1:1"))
    for name in (f"{tmp_path}/secret", "../secret", "/etc/hostname", "secret"):
        assert exchange(peer.serverport, message(b"FGET", name.encode())) == error("File not found")


@pytest.mark.parametrize(
    "name", ["../x", "/tmp/x", "a/../../x", "..", ".", ".bashrc", "a\\b", "c:x", "x\x1b[2J", "", "x" * 300]
)
def test_no_file_is_written_outside_the_folder(peer, make, tmp_path, name) -> None:
    peer.asked.append("")
    exchange(peer.serverport, message(b"RESP", f"{name} 127.0.0.1:1".encode()))
    assert peer.found == {}
    liar = make()
    liar.addhandler("FGET", lambda peerconn, _: peerconn.senddata("REPL", "gift"))
    peer.found[name] = [liar.myid]
    (tmp_path / "in").mkdir()
    with listening(liar):
        assert peer.fetch(name, tmp_path / "in") is None
    assert [each.name for each in tmp_path.rglob("*")] == ["in"]


def test_queries_do_not_go_in_circles(make) -> None:
    """In 2007 a miss among five who all know each other cost 1364 queries."""
    peers = [make() for _ in range(5)]
    counted = []
    for each in peers:
        each.addhandler("QUER", counting(each, counted))
        for other in peers:
            if other is not each:
                each.addpeer(other.myid, HOST, other.serverport)
    with listening(*peers):
        peers[0].query("nothing")
        peers[0].query("")
    assert 4 <= len(counted) <= 4 + 4 * 4


def counting(peer, counted):
    def count(peerconn, msgdata):
        counted.append(msgdata)
        peer.handle_query(peerconn, msgdata)

    return count


def test_a_ttl_of_a_million_is_cut(peer, make) -> None:
    other, asked = make(), threading.Event()
    ttls = []
    other.addhandler("QUER", lambda _peerconn, msgdata: [ttls.append(int(msgdata.split()[2])), asked.set()])
    peer.addpeer(other.myid, HOST, other.serverport)
    with listening(other):
        exchange(peer.serverport, message(b"QUER", b"127.0.0.1:1 nothing 1000000"))
        assert asked.wait(PATIENCE)
    assert ttls == [6]


def test_names_that_nobody_asked_for_are_not_taken(peer, filer) -> None:
    exchange(peer.serverport, message(b"RESP", b"virus.exe 127.0.0.1:1"))
    assert peer.found == {}
    peer.asked.append("song")
    exchange(peer.serverport, message(b"RESP", f"song {peer.myid}".encode()))
    assert peer.found == {}  # old peers repeat what we have to ourselves
    for each in range(20):
        exchange(peer.serverport, message(b"RESP", f"song 127.0.0.1:{each}".encode()))
    assert len(peer.found["song"]) == filer.MAX_HOLDERS
    peer.found |= {str(each): [] for each in range(filer.MAX_FOUND)}
    exchange(peer.serverport, message(b"RESP", b"song2 127.0.0.1:1"))
    assert "song2" not in peer.found


def test_nobody_joins_or_quits_for_somebody_else(peer, filer) -> None:
    class From:
        def __init__(self, host: str) -> None:
            self.host, self.said = host, []

        def senddata(self, msgtype, _msgdata):
            self.said.append(msgtype)

    peer.handle_join(stranger := From("192.0.2.7"), "victim 192.0.2.8 80")
    peer.handle_join(stranger, "victim 192.0.2.7 80")
    peer.handle_quit(other := From("192.0.2.9"), "victim")
    assert (stranger.said, other.said, peer.getpeerids()) == (["ERRO", "REPL"], ["ERRO"], ["victim"])
    peer.handle_quit(stranger, "victim")
    assert (stranger.said[-1], peer.getpeerids()) == ("REPL", [])


def test_nobody_is_flooded_through_this_peer(peer, filer, monkeypatch) -> None:
    dialled = []
    monkeypatch.setattr(peer, "connectandsend", lambda host, port, *_, **__: dialled.append((host, port)) or [])
    monkeypatch.setattr(filer.time, "monotonic", lambda: 1000.0)
    for each in range(filer.MAX_ANSWERS + 5):
        peer.files[f"song {each}"] = Path("song")
    for each in range(100):
        peer.handle_query(Silent(), f"192.0.2.7:{each} song 4")
    assert len(dialled) == filer.DIALS_A_SECOND


class Silent:
    def senddata(self, *_):
        return True

    def close(self):
        pass


def test_what_is_too_large_for_one_message_is_not_sent(peer, filer, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(filer, "MAX_FILE", 10)
    (tmp_path / "large").write_bytes(b"x" * 11)
    peer.addlocalfile(tmp_path / "large")
    assert exchange(peer.serverport, message(b"FGET", b"large")) == error("Error reading file")


def test_what_is_typed_is_done(peer, filer, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").write_text("x")
    for command, argument in [
        ("share", "notes"),
        ("files", ""),
        ("peers", ""),
        ("search", "x"),
        ("fetch", "x"),
        ("?", ""),
    ]:
        filer.obey(peer, command, argument)
    said = capsys.readouterr().out
    assert said.startswith("shares notes\nnotes (local)\n\nfetched None\nsearch KEY")
