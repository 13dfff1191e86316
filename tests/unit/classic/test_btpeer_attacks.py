"""What the framework of 2007 could not stand, one test for each: BTPeer stands it."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest
from classic_peers import HOST, PATIENCE, exchange, listening, message, new_peer, threads_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peerage.classic import BTPeer, btconnection, engine
from peerage.classic.patience import Patience
from peerage.limits import BTPEER_HANDLERS, CLASSIC_CONNECTIONS_PER_ADDRESS

ANSWER = message(b"REPL", b"here")


@pytest.fixture
def peer():
    peer = new_peer()
    peer.addhandler("NAME", lambda peerconn, _: peerconn.senddata("REPL", "here"))
    with listening(peer):
        yield peer
        assert exchange(peer.serverport, message(b"NAME")) == ANSWER  # whatever happened, it answers


@pytest.fixture(scope="module")
def long_lived_peer():
    peer = new_peer()
    peer.addhandler("NAME", lambda peerconn, msgdata: peerconn.senddata("REPL", msgdata))
    with listening(peer):
        yield peer


@given(st.lists(st.binary(max_size=60), max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_garbage_is_closed_without_an_answer(long_lived_peer: BTPeer, pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    answered = whole[:4].upper() == b"NAME"
    came = exchange(long_lived_peer.serverport, *pieces)
    assert came == b"" or answered
    assert exchange(long_lived_peer.serverport, message(b"NAME", b"x")) == message(b"REPL", b"x")


@given(st.binary(max_size=80), st.lists(st.integers(0, 88), max_size=6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_request_in_any_pieces_is_answered(long_lived_peer: BTPeer, payload: bytes, splits: list[int]) -> None:
    whole = message(b"NAME", payload)
    places = sorted({0, len(whole), *(min(each, len(whole)) for each in splits)})
    pieces = [whole[start:end] for start, end in zip(places, places[1:], strict=False)]
    assert exchange(long_lived_peer.serverport, *pieces) == message(b"REPL", payload)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"NAM",
        b"NAME",
        b"NAME\0\0",
        message(b"NAME", b"payload")[:-1],
        b"\0\0\0\0" * 2,
        message(b"REPL"),
        message(b"PING"),
    ],
)
def test_what_is_no_request_is_closed(peer, sent) -> None:
    assert exchange(peer.serverport, sent) == b""


@pytest.mark.parametrize("length", [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x01\x00\x00\x01"])
def test_a_length_beyond_all_measure_is_closed_before_anything_is_kept(peer, length) -> None:
    assert exchange(peer.serverport, b"NAME" + length, half_close=False) == b""


def test_hundreds_of_silent_connections_take_no_thread_and_keep_nobody_out(peer) -> None:
    """In 2007 three hundred of them held three hundred threads for ever."""
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(socket.create_connection((HOST, peer.serverport), PATIENCE))
        for _ in range(5):
            assert exchange(peer.serverport, message(b"NAME")) == ANSWER
        assert len(threads_of(peer)) <= 6


def test_one_address_cannot_take_every_handler(peer) -> None:
    go_on, arrived = threading.Event(), threading.Semaphore(0)
    peer.addhandler(
        "WAIT", lambda peerconn, _: [arrived.release(), go_on.wait(PATIENCE), peerconn.senddata("REPL", "1")]
    )
    with contextlib.ExitStack() as stack:
        waiting = [
            stack.enter_context(socket.create_connection((HOST, peer.serverport), PATIENCE))
            for _ in range(CLASSIC_CONNECTIONS_PER_ADDRESS)
        ]
        for raw in waiting:
            raw.sendall(message(b"WAIT"))
        for _ in waiting:
            assert arrived.acquire(timeout=PATIENCE)
        assert exchange(peer.serverport, message(b"NAME")) == b""  # none of them gives way: they are being answered
        assert peer._engine.metrics.value("links_refused", "classic") == 1
        assert CLASSIC_CONNECTIONS_PER_ADDRESS < BTPEER_HANDLERS
        go_on.set()
        assert [raw.recv(100) for raw in waiting] == [message(b"REPL", b"1")] * len(waiting)
        assert [raw.recv(100) for raw in waiting] == [b""] * len(waiting)


def test_a_silent_connection_is_closed_in_time(peer, monkeypatch) -> None:
    monkeypatch.setattr(engine, "REQUEST_TIMEOUT", 0.01)
    with socket.create_connection((HOST, peer.serverport), PATIENCE) as raw:
        raw.sendall(b"NAM")
        assert raw.recv(1) == b""


def test_unfinished_requests_share_a_bounded_memory(peer, monkeypatch) -> None:
    monkeypatch.setattr(engine, "MAX_BTPEER_UNREAD", 100_000)
    assert exchange(peer.serverport, b"NAME\x00\xff\xff\xff", b"x" * 10_000_000, half_close=False) == b""
    assert peer._engine._unread == 0


def test_a_reader_that_does_not_read_holds_its_own_handler_only(peer, monkeypatch) -> None:
    """In 2007 an unread LIST held the lock that JOIN, QUIT and the check of live peers need."""
    for owner in (btconnection,):
        monkeypatch.setattr(owner, "BTPEER_GRACE", 0.2)
        monkeypatch.setattr(owner, "BTPEER_SLOWEST", 2**40)
    ended = threading.Event()

    def send_much(peerconn, _msgdata):
        with contextlib.suppress(AssertionError):
            while peerconn.senddata("REPL", b"x" * 1_000_000):
                pass
        ended.set()

    peer.addhandler("MUCH", send_much)
    with socket.create_connection((HOST, peer.serverport), PATIENCE) as raw:
        raw.sendall(message(b"MUCH"))
        assert exchange(peer.serverport, message(b"NAME")) == ANSWER
        assert peer.addpeer("anna", HOST, 1)
        assert ended.wait(PATIENCE)


def test_a_client_that_resets_leaves_nothing_behind(peer) -> None:
    """In 2007 that ended the thread with a traceback, and the socket stayed open."""
    for _ in range(20):
        raw = socket.create_connection((HOST, peer.serverport), PATIENCE)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        raw.sendall(message(b"NAME"))
        raw.close()


def test_a_handler_that_fails_is_said_aloud_and_harms_its_asker_only(peer, caplog) -> None:
    peer.addhandler("FAIL", lambda _peerconn, _msgdata: 1 / 0)
    assert exchange(peer.serverport, message(b"FAIL")) == b""
    assert exchange(peer.serverport, message(b"NAME")) == ANSWER
    assert "ZeroDivisionError" in caplog.text
    assert peer._engine.metrics.value("handler_failed", "classic") == 1


@pytest.mark.parametrize("sent", [b"", b"RE", message(b"REPL", b"all of it")[:-1], b"REPL\xff\xff\xff\xff", b"\0" * 7])
def test_a_server_that_sends_nonsense_gets_an_empty_list(sent) -> None:
    with serving(sent, close=True) as port:
        assert new_peer().connectandsend(HOST, port, "NAME", "") == []


def test_a_server_that_never_closes_does_not_hold_the_caller(monkeypatch) -> None:
    """In 2007 it held the caller for ever; what it said until then counts."""
    monkeypatch.setattr(btconnection, "Patience", lambda now: Patience(now, silence=0.05))
    with serving(message(b"REPL", b"one") + b"REPL", close=False) as port:
        assert new_peer().connectandsend(HOST, port, "NAME", "") == [("REPL", "one")]


def test_a_server_that_never_stops_sending_does_not_fill_the_memory(monkeypatch) -> None:
    monkeypatch.setattr(btconnection, "MAX_BTPEER_ANSWER", 100_000)
    with serving(message(b"REPL", b"x" * 100) * 10_000, close=True) as port:
        assert len(new_peer().connectandsend(HOST, port, "LIST", "")) < 1000


@contextlib.contextmanager
def serving(answer: bytes, *, close: bool):
    """A server that sends the same to everybody, whatever they say."""
    done = threading.Event()

    def serve() -> None:
        with listener.accept()[0] as raw, contextlib.suppress(OSError):
            raw.sendall(answer)
            raw.shutdown(socket.SHUT_WR) if close else done.wait(PATIENCE)
            while raw.recv(65536):
                pass

    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        done.set()
        thread.join(PATIENCE)
