"""BTPeerConnection: one message in one write, any split of the bytes, and no exception whatever comes."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from classic_peers import message
from hypothesis import given, settings
from hypothesis import strategies as st

from peerage.classic import BTPeerConnection, btconnection
from peerage.classic.btconnection import Text, btdebug
from peerage.classic.patience import Patience
from peerage.errors import ProtocolError


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, BTPeerConnection]]:
    """The bare end of a connection, and its other end as a program sees it."""
    bare, other = socket.socketpair()
    connection = BTPeerConnection("anna", "127.0.0.1", 5601, other)
    yield bare, connection
    connection.close()
    bare.close()


def received(data: bytes, splits: list[int]) -> list[tuple[str | None, str | None]]:
    """What recvdata returns for bytes that come in these pieces, up to and with its first refusal."""
    bare, other = socket.socketpair()
    connection = BTPeerConnection(None, "127.0.0.1", 1, other)
    places = sorted({0, len(data), *(each % (len(data) + 1) for each in splits)})
    for start, end in zip(places, places[1:], strict=False):
        bare.sendall(data[start:end])
    bare.close()
    came = []
    while not came or came[-1] != (None, None):
        came.append(connection.recvdata())
    connection.close()
    return came


def test_bytes_of_a_message(ends) -> None:
    bare, connection = ends
    assert connection.senddata("NAME", "") is True
    assert connection.senddata("JOIN", "127.0.0.1:19512 127.0.0.1 19512") is True
    connection.close()
    joined = bytes.fromhex("4a4f494e0000001f") + b"127.0.0.1:19512 127.0.0.1 19512"
    assert bare.recv(100) == bytes.fromhex("4e414d4500000000") + joined


def test_a_message_leaves_in_one_write(ends, monkeypatch) -> None:
    writes = []
    monkeypatch.setattr(btconnection, "send_clear", lambda _socket, data, _timeout: writes.append(data))
    ends[1].senddata("REPL", "x" * 100_000)
    assert writes == [message(b"REPL", b"x" * 100_000)]


@pytest.mark.parametrize(("given", "sent"), [("AB", b"AB\0\0"), ("ABCDEF", b"ABCD"), (b"REPL", b"REPL")])
def test_types_are_filled_up_and_cut(ends, given, sent) -> None:
    bare, connection = ends
    assert connection.senddata(given, b"\xff") is True
    assert bare.recv(100) == message(sent, b"\xff")


@pytest.mark.parametrize("data", [None, 17, "\ud800", object()])
def test_what_cannot_be_sent_is_false_and_no_exception(ends, data) -> None:
    assert ends[1].senddata("REPL", data) is False


@given(
    st.lists(st.tuples(st.binary(min_size=4, max_size=4), st.binary(max_size=300)), max_size=5),
    st.lists(st.integers(0)),
)
@settings(max_examples=60, deadline=None)
def test_any_split_gives_the_same_messages(messages, splits) -> None:
    came = received(b"".join(message(code, payload) for code, payload in messages), splits)
    assert came[-1] == (None, None)
    assert [(str(code).encode("utf-8", "surrogateescape"), bytes(data)) for code, data in came[:-1]] == messages


@given(st.binary(max_size=400), st.lists(st.integers(0)))
@settings(max_examples=60, deadline=None)
def test_garbage_ends_and_never_raises(data, splits) -> None:
    assert received(data, splits)[-1] == (None, None)


def test_a_length_beyond_all_measure_is_refused_at_once(ends) -> None:
    bare, connection = ends
    bare.sendall(bytes.fromhex("5245504c ffffffff"))
    assert connection.recvdata() == (None, None)  # the other side has not closed
    bare.sendall(message(b"REPL", b"late"))
    assert connection.recvdata() == (None, None)


def test_endless_small_messages_end(monkeypatch) -> None:
    monkeypatch.setattr(btconnection, "MAX_BTPEER_REQUEST", 10_000)
    bare, other = socket.socketpair()
    connection = BTPeerConnection(None, "127.0.0.1", 1, other)
    assert connection.feed(message(b"REPL") * 30) == 30
    with pytest.raises(ProtocolError):
        connection.feed(message(b"REPL") * 30)
    assert connection.recvdata() == ("REPL", "")  # what came before counts
    connection.close()
    bare.close()


def test_a_silent_peer_does_not_hold_the_caller(ends, monkeypatch) -> None:
    monkeypatch.setattr(btconnection, "Patience", lambda now: Patience(now, silence=0.01))
    bare, connection = ends
    bare.sendall(b"REP")
    assert connection.recvdata() == (None, None)


def test_after_close_both_calls_fail(ends) -> None:
    connection = ends[1]
    connection.close()
    connection.close()
    assert connection.senddata("REPL", "x") is False
    assert connection.recvdata() == (None, None)
    connection.interrupt()


def test_the_attributes_of_2007(ends) -> None:
    connection = ends[1]
    assert (connection.id, connection.debug, str(connection)) == ("anna", False, "|anna|")
    assert connection.s.fileno() > 0


def test_dialling_nobody_raises() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        with pytest.raises(OSError):
            BTPeerConnection("anna", "127.0.0.1", taken.getsockname()[1])


@given(st.binary())
def test_text_gives_back_the_very_bytes(data) -> None:
    text = Text(data)
    assert bytes(text) == data
    assert isinstance(text, str)


def test_text_is_text() -> None:
    assert Text("zwölf Äpfel 4".encode()).split() == ["zwölf", "Äpfel", "4"]


def test_debug_lines_name_the_thread_and_steer_no_terminal(ends, capsys) -> None:
    btdebug("hello\x1b[2J")
    connection = ends[1]
    connection.debug = True
    connection.senddata("REPL", None)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "[MainThread] hello\ufffd[2J"
    assert lines[1].startswith("[MainThread] |anna| could not send: ")
