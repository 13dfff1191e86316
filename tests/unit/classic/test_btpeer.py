"""BTPeer: names, arguments, defaults and results of 2007, on real loopback sockets."""

from __future__ import annotations

import inspect
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from classic_peers import HOST, PATIENCE, Running, exchange, free_port, listening, message, new_peer, threads_of

import peerage.classic
import peerage.classic.btpeer as btpeer
from peerage.classic import BTPeer, BTPeerConnection
from peerage.errors import LimitError
from peerage.limits import BTPEER_STABILIZERS

# --- the interface ---------------------------------------------------------------------------------------------------

SIGNATURES = {
    "__init__": "(self, maxpeers, serverport, myid=None, serverhost=None)",
    "setmyid": "(self, myid)",
    "startstabilizer": "(self, stabilizer, delay)",
    "addhandler": "(self, msgtype, handler)",
    "addrouter": "(self, router)",
    "addpeer": "(self, peerid, host, port)",
    "getpeer": "(self, peerid)",
    "removepeer": "(self, peerid)",
    "addpeerat": "(self, loc, peerid, host, port)",
    "getpeerat": "(self, loc)",
    "removepeerat": "(self, loc)",
    "getpeerids": "(self)",
    "numberofpeers": "(self)",
    "maxpeersreached": "(self)",
    "makeserversocket": "(self, port, backlog=5)",
    "sendtopeer": "(self, peerid, msgtype, msgdata, waitreply=True)",
    "connectandsend": "(self, host, port, msgtype, msgdata, pid=None, waitreply=True)",
    "checklivepeers": "(self)",
    "mainloop": "(self)",
}
CONNECTION = {
    "__init__": "(self, peerid, host, port, sock=None, debug=False)",
    "senddata": "(self, msgtype, msgdata)",
    "recvdata": "(self)",
    "close": "(self)",
}


def bare_signature(function) -> str:
    found = inspect.signature(function)
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in found.parameters.values()]
    return str(found.replace(parameters=bare, return_annotation=inspect.Signature.empty))


@pytest.mark.parametrize(
    ("owner", "names"), [(BTPeer, SIGNATURES), (BTPeerConnection, CONNECTION)], ids=["peer", "connection"]
)
def test_names_arguments_and_defaults(owner, names) -> None:
    assert {name: bare_signature(getattr(owner, name)) for name in names} == names


def test_a_star_import_brings_what_old_programs_use() -> None:
    names: dict[str, object] = {}
    exec("from peerage.classic.btpeer import *", names)
    assert names.keys() >= {
        "BTPeer",
        "BTPeerConnection",
        "btdebug",
        "socket",
        "struct",
        "threading",
        "time",
        "traceback",
    }
    assert names["socket"] is socket
    assert peerage.classic.BTPeer is btpeer.BTPeer is names["BTPeer"]
    with pytest.raises(AttributeError):
        _ = btpeer.nothing


def test_what_a_new_peer_is() -> None:
    peer = BTPeer("3", "5601", serverhost="192.0.2.7")
    assert (peer.maxpeers, peer.serverport, peer.serverhost, peer.myid) == (3, 5601, "192.0.2.7", "192.0.2.7:5601")
    assert (peer.debug, peer.peers, peer.shutdown, peer.handlers, peer.router) == (0, {}, False, {}, None)
    peer.setmyid("anna")
    assert peer.myid == "anna"
    assert BTPeer(0, 1, "bert", "h").myid == "bert"


def test_the_own_address_is_found_without_asking_anybody(monkeypatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_: asked.append(args))
    monkeypatch.setattr(socket, "create_connection", lambda *args, **_: asked.append(args))
    host = BTPeer(0, 5601).serverhost
    assert socket.inet_aton(host)
    assert asked == []


# --- known peers -----------------------------------------------------------------------------------------------------


def test_known_peers() -> None:
    peer = new_peer(maxpeers=2)
    assert peer.addpeer("anna", "h1", "1001") is True
    assert peer.addpeer("anna", "h2", 1002) is False
    assert peer.getpeer("anna") == ("h1", 1001)
    assert peer.maxpeersreached() is False
    assert peer.addpeer("bert", "h2", 1002) is True
    assert peer.maxpeersreached() is True
    assert peer.addpeer("carl", "h3", 1003) is False
    assert (peer.getpeerids(), peer.numberofpeers()) == (["anna", "bert"], 2)
    assert peer.removepeer("anna") is None
    peer.removepeer("anna")
    assert peer.peers == {"bert": ("h2", 1002)}
    with pytest.raises(AssertionError):
        peer.getpeer("anna")


@pytest.mark.parametrize("port", ["x", "", 0, -1, 65536, "99999", None])
def test_a_port_that_is_none_is_refused(port) -> None:
    peer = new_peer()
    with pytest.raises((ValueError, TypeError)):
        peer.addpeer("anna", "h", port)
    assert peer.numberofpeers() == 0


def test_peers_at_places() -> None:
    peer = new_peer(maxpeers=1)
    peer.addpeerat(0, "anna", "h1", "1001")
    peer.addpeerat(1, "bert", "h2", 1002)  # whatever the maximum
    assert peer.getpeerat(0) == ("anna", "h1", 1001)
    assert peer.getpeerat(7) is None
    assert peer.maxpeersreached() is True
    assert peer.removepeerat(0) is None
    assert peer.getpeerat(0) is None
    assert peer.numberofpeers() == 1


def test_no_maximum_is_still_bounded(monkeypatch) -> None:
    monkeypatch.setattr(btpeer, "MAX_BTPEER_PEERS", 3)
    peer = new_peer(maxpeers=0)
    assert [peer.addpeer(str(each), "h", 1) for each in range(4)] == [True, True, True, False]
    assert peer.maxpeersreached() is False
    with pytest.raises(LimitError):
        peer.addpeerat(9, "x", "h", 1)
    peer.addpeerat("0", "x", "h", 1)


def test_many_threads_never_exceed_the_maximum() -> None:
    peer = new_peer(maxpeers=10)
    with ThreadPoolExecutor(16) as pool:
        added = list(pool.map(lambda each: peer.addpeer(str(each), "h", 1), range(400)))
    assert sum(added) == peer.numberofpeers() == 10


def test_a_program_may_hold_its_lock_round_calls() -> None:
    peer = new_peer()
    with peer.peerlock, peer.peerlock:
        assert peer.addpeer("anna", "h", 1)
        peer.removepeer("anna")
        peer.checklivepeers()


# --- messages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("msgtype", ["", "ABC", "ABCDE"])
def test_types_have_four_characters(msgtype) -> None:
    with pytest.raises(AssertionError):
        new_peer().addhandler(msgtype, print)


def test_requests_and_replies() -> None:
    anna, bert = new_peer(), new_peer()

    def count(peerconn, msgdata):
        for number in range(int(msgdata)):
            assert peerconn.senddata("REPL", f"{number} of {msgdata}")

    anna.addhandler("CNT!", count)
    with listening(anna):
        assert bert.connectandsend(HOST, anna.serverport, "CNT!", "2") == [("REPL", "0 of 2"), ("REPL", "1 of 2")]
        assert bert.connectandsend(HOST, str(anna.serverport), "cnt!", "1", pid="anna") == [("REPL", "0 of 1")]
        assert bert.connectandsend(HOST, anna.serverport, "CNT!", "0") == []
        assert bert.connectandsend(HOST, anna.serverport, "CNT!", "2", waitreply=False) == []
        assert bert.connectandsend(HOST, anna.serverport, "none", "") == []
        assert bert.connectandsend(HOST, anna.serverport, "CNT!", "no number") == []  # the handler fails
        assert bert.connectandsend(HOST, anna.serverport, "CNT!", "1") == [("REPL", "0 of 1")]
    assert bert.connectandsend(HOST, anna.serverport, "CNT!", "1") == []  # nobody listens any more
    assert bert.connectandsend(HOST, 0, "CNT!", "1") == bert.connectandsend(HOST, 70000, "CNT!", "1") == []
    assert bert.connectandsend(HOST, "port", "CNT!", "1") == bert.connectandsend("", 1, "CNT!", "1") == []


def test_large_and_binary_data_pass_unharmed() -> None:
    peer = new_peer()
    peer.addhandler("BACK", lambda peerconn, msgdata: peerconn.senddata("REPL", msgdata))
    data = bytes(range(256)) * 4096
    with listening(peer):
        [(msgtype, text)] = peer.connectandsend(HOST, peer.serverport, "BACK", data)
    assert (msgtype, bytes(text)) == ("REPL", data)


def test_the_bytes_of_an_exchange() -> None:
    peer = new_peer()
    peer.addhandler("NAME", lambda peerconn, _msgdata: peerconn.senddata("REPL", "127.0.0.1:19511"))
    with listening(peer):
        answer = bytes.fromhex("5245504c 0000000f 3132372e302e302e313a3139353131")
        assert exchange(peer.serverport, bytes.fromhex("4e414d45 00000000"), half_close=False) == answer
        assert exchange(peer.serverport, *[bytes([each]) for each in message(b"name")]) == answer
        assert exchange(peer.serverport, message(b"NAME") + message(b"NAME"), half_close=False) == answer
        assert exchange(peer.serverport, message(b"NAME", b"ignored")) == answer


def test_a_handler_may_read_on() -> None:
    peer = new_peer()
    seen = []

    def converse(peerconn, msgdata):
        seen.append((peerconn.id, peerconn.host, msgdata))
        while (pair := peerconn.recvdata()) != (None, None):
            peerconn.senddata(*pair)

    peer.addhandler("TALK", converse)
    with listening(peer):
        said = [message(b"TALK", b"a") + message(b"MORE", b"b")[:5], message(b"MORE", b"b")[5:], message(b"LAST", b"c")]
        assert exchange(peer.serverport, *said) == message(b"MORE", b"b") + message(b"LAST", b"c")
    assert seen == [(None, HOST, "a")]


def test_a_handler_may_hang_up_and_work_on() -> None:
    peer, go_on, done = new_peer(), threading.Event(), threading.Event()

    def work(peerconn, _msgdata):
        peerconn.senddata("REPL", "soon")
        peerconn.close()
        assert go_on.wait(PATIENCE)
        done.set()

    peer.addhandler("WORK", work)
    with listening(peer):
        assert peer.connectandsend(HOST, peer.serverport, "WORK", "") == [("REPL", "soon")]
        go_on.set()
        assert done.wait(PATIENCE)


def test_handlers_block_without_blocking_others() -> None:
    peer, meeting = new_peer(), threading.Barrier(20)

    def meet(peerconn, _msgdata):
        meeting.wait(PATIENCE)
        peerconn.senddata("REPL", "met")

    peer.addhandler("MEET", meet)
    with listening(peer), ThreadPoolExecutor(20) as pool:
        replies = pool.map(lambda _: peer.connectandsend(HOST, peer.serverport, "MEET", ""), range(20))
        assert list(replies) == [[("REPL", "met")]] * 20


def test_routers() -> None:
    anna, bert = new_peer(), new_peer()
    bert.addhandler("WHO?", lambda peerconn, msgdata: peerconn.senddata("REPL", "bert for " + msgdata))
    assert anna.sendtopeer("bert", "WHO?", "anna") is None
    anna.addpeer("bert", HOST, bert.serverport)

    def router(peerid):
        return ("bert", *anna.getpeer("bert")) if peerid == "somebody" else (None, None, None)

    anna.addrouter(router)
    assert anna.sendtopeer("carl", "WHO?", "anna") is None
    with listening(bert):
        assert anna.sendtopeer("somebody", "WHO?", "anna") == [("REPL", "bert for anna")]
        assert anna.sendtopeer("somebody", "WHO?", "anna", waitreply=False) == []


# --- stabilizers and the main loop -----------------------------------------------------------------------------------


def test_stabilizers_run_at_once_and_again_also_after_a_failure() -> None:
    peer, rounds, enough = new_peer(), [], threading.Event()

    def upkeep():
        rounds.append(threading.current_thread())
        if len(rounds) == 3:
            enough.set()
        raise RuntimeError("a round that fails")

    peer.startstabilizer(upkeep, 0)
    assert enough.wait(PATIENCE)
    engine = peer._engine
    peer.shutdown = True
    engine.wait()
    assert threading.current_thread() not in rounds
    peer.startstabilizer(upkeep, 1)  # it has ended: nothing happens
    assert peer._engine is None
    for thread in rounds:
        thread.join(PATIENCE)
    assert threads_of(peer) == []


def test_too_many_stabilizers_are_refused() -> None:
    peer = new_peer()
    for _ in range(BTPEER_STABILIZERS):
        peer.startstabilizer(lambda: None, 1000)
    with pytest.raises(LimitError):
        peer.startstabilizer(lambda: None, 1000)
    engine = peer._engine
    peer.shutdown = True
    engine.wait()


def test_who_does_not_answer_is_forgotten() -> None:
    anna, bert = new_peer(), new_peer()
    anna.addpeer("bert", HOST, bert.serverport)
    anna.addpeer("gone", HOST, free_port())
    anna.addpeerat(3, "gone", HOST, free_port())
    anna.peers["odd"] = ("no host at all", "x")
    with listening(bert):
        anna.checklivepeers()
    assert anna.getpeerids() == ["bert"]


def test_a_peer_that_came_back_during_the_check_stays(monkeypatch) -> None:
    peer = new_peer()
    peer.addpeer("bert", HOST, 1)

    def answers(_self, key, _entry):
        peer.removepeer(key)
        peer.addpeer(key, HOST, 2)
        return False

    monkeypatch.setattr(BTPeer, "_answers", answers)
    peer.checklivepeers()
    assert peer.getpeer("bert") == (HOST, 2)


def test_the_check_lives_with_a_table_that_changes() -> None:
    """In 2007 a peer that joined during the check killed the stabilizer."""
    anna, bert, stop = new_peer(maxpeers=0), new_peer(), threading.Event()

    def come_and_go():
        while not stop.is_set():
            for each in range(50):
                anna.addpeer(f"guest {each}", HOST, bert.serverport)
            for each in range(50):
                anna.removepeer(f"guest {each}")

    guests = threading.Thread(target=come_and_go)
    with listening(bert):
        guests.start()
        try:
            for _ in range(5):
                anna.checklivepeers()
        finally:
            stop.set()
            guests.join(PATIENCE)


def test_a_port_that_is_taken_raises() -> None:
    anna = new_peer()
    with listening(anna), pytest.raises(OSError):
        new_peer(port=anna.serverport).mainloop()


def test_who_is_on_this_computer_only_listens_there_only() -> None:
    for serverhost, bound in [(HOST, HOST), ("localhost", HOST), ("192.0.2.7", "0.0.0.0"), ("a.example", "0.0.0.0")]:
        with BTPeer(0, 1, serverhost=serverhost).makeserversocket(0) as listener:
            assert (listener.getsockname()[0], listener.family) == (bound, socket.AF_INET)
            assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


def test_the_main_loop_ends_at_once_and_can_begin_again() -> None:
    peer = new_peer()
    peer.addhandler("NAME", lambda peerconn, _: peerconn.senddata("REPL", "here"))
    for _ in range(2):
        with listening(peer):
            assert peer.connectandsend(HOST, peer.serverport, "NAME", "") == [("REPL", "here")]
        assert peer.shutdown is True
        peer.mainloop()  # returns at once
        peer.shutdown = False


def test_a_handler_may_end_the_peer() -> None:
    peer = new_peer()

    def end(peerconn, _msgdata):
        peer.shutdown = True
        peerconn.senddata("REPL", "bye")

    peer.addhandler("STOP", end)
    running = Running(peer)
    running.start()
    assert peer.connectandsend(HOST, peer.serverport, "STOP", "") == [("REPL", "bye")]
    running.thread.join(PATIENCE)
    assert not running.thread.is_alive()


def test_a_handler_that_never_ends_loses_its_connection(monkeypatch) -> None:
    monkeypatch.setattr("peerage.classic.engine.BTPEER_GOODBYE", 0.01)
    peer, began, seen = new_peer(), threading.Event(), threading.Event()
    peer.addhandler("HANG", lambda peerconn, _: [began.set(), peerconn.recvdata(), seen.set()])
    running = Running(peer)
    running.start()
    with socket.create_connection((HOST, peer.serverport), PATIENCE) as raw:
        raw.sendall(message(b"HANG"))
        assert began.wait(PATIENCE)
        running.stop()
        assert seen.wait(PATIENCE)
        assert raw.recv(1) == b""


def test_debug_says_what_happens(capsys) -> None:
    peer = new_peer()
    peer.debug = 1
    peer.addhandler("NAME", lambda peerconn, _: peerconn.senddata("REPL", "here"))
    with listening(peer):
        peer.connectandsend(HOST, peer.serverport, "NAME", "", pid="myself")
        peer.connectandsend(HOST, peer.serverport, "NONE", "")
        peer.sendtopeer("nobody", "NAME", "")
    said = capsys.readouterr().out
    for line in (
        "sends NAME to myself",
        "handles NAME from 127.0.0.1",
        "has no handler for 'NONE'",
        "no way to nobody",
    ):
        assert line in said
