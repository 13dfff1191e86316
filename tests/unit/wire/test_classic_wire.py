"""The wire of 2007: the bytes that were recorded, any split of them, and any garbage."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.errors import ProtocolError
from peerage.limits import MAX_CLASSIC_PAYLOAD
from peerage.wire import classic
from peerage.wire.classic import (
    FileRequest,
    Frame,
    FrameReader,
    JoinRequest,
    ListRequest,
    Malformed,
    NameRequest,
    Neighbour,
    PingRequest,
    QueryRequest,
    QueryResponse,
    QuitRequest,
    Request,
    Unknown,
    parse_request,
)

B, C = "127.0.0.1:19511", "127.0.0.1:19512"
PEER_A = "127.0.0.1:19510"

REQUESTS = [
    (NameRequest(), "4e414d45 00000000"),
    (
        JoinRequest(C, "127.0.0.1", 19512),
        "4a4f494e 0000001f 3132372e302e302e313a3139353132203132372e302e302e31203139353132",
    ),
    (ListRequest(), "4c495354 00000000"),
    (QueryRequest(PEER_A, "notes", 4), "51554552 00000017 3132372e302e302e313a3139353130206e6f7465732034"),
    (QueryResponse("notes.txt", B), "52455350 00000019 6e6f7465732e747874203132372e302e302e313a3139353131"),
    (FileRequest("notes.txt"), "46474554 00000009 6e6f7465732e747874"),
    (PingRequest(), "50494e47 00000000"),
    (QuitRequest(PEER_A), "51554954 0000000f 3132372e302e302e313a3139353130"),
]
ANSWERS = [
    (classic.reply(B), "5245504c 0000000f 3132372e302e302e313a3139353131"),
    (
        classic.join_added(C),
        "5245504c 00000021 4a6f696e3a20706565722061646465643a20 3132372e302e302e313a3139353132",
    ),
    (
        classic.join_known(PEER_A),
        "4552524f 0000002b 4a6f696e3a207065657220616c726561647920696e73657274656420 3132372e302e302e313a3139353130",
    ),
    (classic.join_full(), "4552524f 00000014 4a6f696e3a20746f6f206d616e79207065657273"),
    (classic.query_acknowledged("notes"), "5245504c 00000010 51756572792041434b3a206e6f746573"),
    (classic.file_unknown(), "4552524f 0000000e 46696c65206e6f7420666f756e64"),
    (
        classic.quit_removed(PEER_A),
        "5245504c 00000023 517569743a20706565722072656d6f7665643a20 3132372e302e302e313a3139353130",
    ),
    (classic.quit_unknown("p1"), "4552524f 00000018 517569743a2070656572206e6f7420666f756e643a207031"),
]


@pytest.mark.parametrize(("request_", "recorded"), REQUESTS, ids=lambda each: type(each).__name__)
def test_requests_are_the_recorded_bytes(request_: Request, recorded: str) -> None:
    assert request_.frame().encode() == bytes.fromhex(recorded)
    [frame] = FrameReader().feed(bytes.fromhex(recorded))
    assert parse_request(frame) == request_


@pytest.mark.parametrize(("answer", "recorded"), ANSWERS)
def test_answers_are_the_recorded_bytes(answer: Frame, recorded: str) -> None:
    assert answer.encode() == bytes.fromhex(recorded)


def test_a_list_is_the_recorded_bytes() -> None:
    frames = classic.list_replies([Neighbour(C, "127.0.0.1", 19512)])
    line = b"127.0.0.1:19512 127.0.0.1 19512"
    assert b"".join(each.encode() for each in frames) == b"REPL\0\0\0\x011" + b"REPL\0\0\0\x1f" + line
    assert classic.parse_count(frames[0].payload) == 1
    assert classic.parse_neighbour(frames[1].payload) == Neighbour(C, "127.0.0.1", 19512)


def test_the_other_answers_say_what_the_original_says() -> None:
    assert classic.file_unreadable() == (b"ERRO", b"Error reading file")
    assert classic.join_malformed() == (b"ERRO", b"Join: incorrect arguments")
    assert classic.query_malformed() == (b"ERRO", b"Query: incorrect arguments")


def test_a_short_type_is_filled_and_a_long_one_cut() -> None:
    assert classic.encode_frame(b"AB", b"x") == b"AB\0\0\0\0\0\x01x"
    assert classic.encode_frame(b"ABCDEF") == b"ABCD\0\0\0\0"


@pytest.mark.parametrize("code", [b"name", b"Name", b"NAME"])
def test_the_type_may_be_in_lower_case(code: bytes) -> None:
    assert parse_request(Frame(code, b"anything")) == NameRequest()


@pytest.mark.parametrize("code", [b"REPL", b"ERRO", b"HELO", b"\0\0\0\0", b"\xff\xfe\xfd\xfc"])
def test_other_types_are_unknown(code: bytes) -> None:
    assert parse_request(Frame(code, b"")) == Unknown(code)


def test_fields_stand_at_any_run_of_white_space() -> None:
    assert parse_request(Frame(b"JOIN", b"  p1\t10.0.0.1 \r\n 80\x0b")) == JoinRequest("p1", "10.0.0.1", 80)
    assert parse_request(Frame(b"QUER", b"\np1  key\f4 ")) == QueryRequest("p1", "key", 4)
    assert parse_request(Frame(b"RESP", b" a   b ")) == QueryResponse("a", "b")
    assert parse_request(Frame(b"QUIT", b" p1\n")) == QuitRequest("p1")
    assert parse_request(Frame(b"FGET", b" my notes ")) == FileRequest(" my notes ")


@pytest.mark.parametrize("payload", [b"", b"p1", b"p1 host", b"p1 host 1 2"])
def test_the_wrong_number_of_fields_is_malformed(payload: bytes) -> None:
    assert parse_request(Frame(b"JOIN", payload)) == Malformed(b"JOIN", classic.join_malformed())
    assert parse_request(Frame(b"QUER", payload)) == Malformed(b"QUER", classic.query_malformed())
    if payload != b"p1 host":
        assert parse_request(Frame(b"RESP", payload)) == Malformed(b"RESP", None)


@pytest.mark.parametrize("port", [b"0", b"-1", b"65536", b"99999", b"http", b"1_0", b"9" * 40])
def test_a_port_that_is_none_is_none(port: bytes) -> None:
    assert parse_request(Frame(b"JOIN", b"p1 host " + port)) == JoinRequest("p1", "host", None)
    assert classic.parse_neighbour(b"p1 host " + port) is None


@pytest.mark.parametrize(("ttl", "number"), [(b"-3", -3), (b"+4", 4), (b"1000000", 1_000_000), (b"x", None)])
def test_a_ttl_is_any_number_or_none(ttl: bytes, number: int | None) -> None:
    assert parse_request(Frame(b"QUER", b"p1 key " + ttl)) == QueryRequest("p1", "key", number)


@pytest.mark.parametrize("payload", [b"", b"-1", b"x", b"1 2", b"9" * 30])
def test_a_count_that_is_none_is_none(payload: bytes) -> None:
    assert classic.parse_count(payload) is None


def test_what_is_not_text_goes_through_and_can_be_shown() -> None:
    response = parse_request(Frame(b"RESP", b"m\xfcsic\x1b[2J.mp3 h:1"))
    assert isinstance(response, QueryResponse)
    assert response.frame().payload == b"m\xfcsic\x1b[2J.mp3 h:1"
    assert classic.printable(response.name) == "m\ufffdsic\ufffd[2J.mp3"


def test_the_page_shows_these_bytes() -> None:
    page = (Path(__file__).parents[3] / "docs" / "classic.md").read_text("utf-8")
    rows = re.findall(r"^\| `([A-Z]{4})(?: ([^`]*))?` \| `([0-9a-f ]+)` \|$", page, re.MULTILINE)
    assert len(rows) == 14
    for code, text, recorded in rows:
        assert classic.encode_frame(code.encode(), text.encode()) == bytes.fromhex(recorded)


frames = st.builds(Frame, st.binary(min_size=4, max_size=4), st.binary(max_size=300))


@given(st.lists(frames, max_size=6), st.data())
def test_any_split_gives_the_same_frames(sent: list[Frame], data: st.DataObject) -> None:
    stream = b"".join(each.encode() for each in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader, got = FrameReader(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += reader.feed(stream[start:end])
    assert got == sent
    assert reader.pending == 0
    assert reader.missing == classic.HEADER_BYTES


@given(frames)
def test_a_reader_knows_how_much_is_missing(sent: Frame) -> None:
    stream, reader, got = sent.encode(), FrameReader(), []
    while stream:
        count = reader.missing
        assert 0 < count <= len(stream)
        got += reader.feed(stream[:count])
        stream = stream[count:]
    assert got == [sent]


@given(st.binary(max_size=200))
def test_garbage_is_frames_or_a_protocol_error(garbage: bytes) -> None:
    reader = FrameReader(1000)
    try:
        found = reader.feed(garbage)
    except ProtocolError:
        return
    assert sum(len(each.encode()) for each in found) + reader.pending == len(garbage)
    for each in found:
        parse_request(each)


@given(st.sampled_from([b"JOIN", b"QUER", b"RESP", b"FGET", b"QUIT", b"NAME"]), st.binary(max_size=60))
def test_any_payload_is_parsed_and_comes_back(code: bytes, payload: bytes) -> None:
    parsed = parse_request(Frame(code, payload))
    assert not isinstance(parsed, Unknown)
    if not isinstance(parsed, Malformed):
        again = parse_request(parsed.frame())
        assert again == parsed
    classic.parse_count(payload)
    classic.parse_neighbour(payload)


def test_a_large_announcement_costs_nothing() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match="4294967295"):
            FrameReader().feed(b"FGET\xff\xff\xff\xff")
        FrameReader().feed(classic.encode_head(b"FGET", MAX_CLASSIC_PAYLOAD))
        assert tracemalloc.get_traced_memory()[1] < 64 * 1024
    finally:
        tracemalloc.stop()
    with pytest.raises(ProtocolError):
        FrameReader().feed(classic.encode_head(b"NAME", MAX_CLASSIC_PAYLOAD + 1))
