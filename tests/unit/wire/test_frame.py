"""Frames: any split of the bytes gives the same frames, garbage only a ProtocolError, nothing large is allocated."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peerage.errors import ProtocolError
from peerage.limits import MAX_BULK_PAYLOAD, MAX_CONTROL_PAYLOAD
from peerage.wire.frame import BULK, HEADER, HEADER_BYTES, FrameReader, encode_header

LARGEST = MAX_CONTROL_PAYLOAD + HEADER_BYTES + 192 * 1024  # what a reader may ever hold


class Shelf:
    """A sink that has set memory aside for some tags."""

    def __init__(self, wanted: dict[int, int]) -> None:
        self.buffers = {tag: bytearray(length) for tag, length in wanted.items()}
        self.progress: dict[int, int] = {}
        self.skipped: list[tuple[int, int]] = []

    def bulk_buffer(self, tag: int, length: int) -> memoryview | None:
        if tag not in self.buffers:
            self.skipped.append((tag, length))
            return None
        assert length == len(self.buffers[tag])
        return memoryview(self.buffers[tag])

    def bulk_progress(self, tag: int, length: int) -> None:
        self.progress[tag] = self.progress.get(tag, 0) + length


def frame(code: bytes, tag: int, payload: bytes) -> bytes:
    return encode_header(code, len(payload), tag) + payload


def read(reader: FrameReader, data: bytes, sizes: list[int]) -> list[tuple[bytes, int, bytes]]:
    """Feed as a link does, in reads of the given sizes (the last one repeated), and copy what comes out at once."""
    found, position, turn = [], 0, 0
    while position < len(data):
        size = sizes[min(turn, len(sizes) - 1)]
        chunk = data[position : position + size]
        buffer = reader.get_buffer(len(chunk))
        assert len(buffer) > 0
        count = min(len(buffer), len(chunk))
        buffer[:count] = chunk[:count]
        found += [(code, tag, bytes(payload)) for code, tag, payload in reader.advance(count)]
        position, turn = position + count, turn + 1
    return found


def take(reader: FrameReader, data: bytes, sizes: list[int]) -> list[tuple[bytes, int, bytes]]:
    """Give it the same cuts as bytes that need no buffer, in turn with reads that do."""
    found, position, turn = [], 0, 0
    while position < len(data):
        size = sizes[min(turn, len(sizes) - 1)]
        chunk = data[position : position + size]
        if size % 5:
            found += [(code, tag, bytes(payload)) for code, tag, payload in reader.take(chunk)]
        else:
            found += read(reader, chunk, [size])
        position, turn = position + len(chunk), turn + 1
    return found


codes = st.sampled_from([b"PING", b"HELO", b"QUER", b"\x00\xff\x00\xff"])
tags = st.integers(0, 0xFFFFFFFF)
small = st.binary(max_size=60)
control = st.tuples(codes, tags, st.one_of(small, st.binary(min_size=4000, max_size=5000)))
bulk = st.tuples(st.just(BULK), st.integers(1, 6), st.one_of(small, st.binary(min_size=3000, max_size=9000)))
splits = st.lists(st.integers(1, 6000), min_size=1, max_size=30)


@pytest.mark.parametrize("way", [read, take])
@settings(deadline=None)  # a busy computer is no failure
@given(messages=st.lists(st.one_of(control, bulk), max_size=12), sizes=splits)
def test_any_split_gives_the_same_frames(messages: list[tuple[bytes, int, bytes]], sizes: list[int], way) -> None:
    shelf, sent, expected = Shelf({}), b"", []
    wanted, unwanted = {}, []
    for index, (code, number, payload) in enumerate(messages):
        if code != BULK:
            sent += frame(code, number, payload)
            expected.append((code, number, payload))
        elif number % 2:
            sent += frame(BULK, index, payload)
            unwanted.append((index, len(payload)))
        else:
            sent += frame(BULK, index, payload)
            expected.append((BULK, index, b""))
            wanted[index] = payload
    shelf.buffers = {tag: bytearray(len(payload)) for tag, payload in wanted.items()}
    assert way(FrameReader(shelf), sent, sizes) == expected
    assert {tag: bytes(buffer) for tag, buffer in shelf.buffers.items()} == wanted
    assert shelf.skipped == unwanted


@given(st.binary(max_size=400), splits)
def test_garbage_gives_only_a_protocol_error(data: bytes, sizes: list[int]) -> None:
    reader = FrameReader()
    try:
        for code, _tag, payload in read(reader, data, sizes):
            assert len(code) == 4
            assert len(payload) <= MAX_CONTROL_PAYLOAD
    except ProtocolError:
        pass


@given(control, st.integers(0, 5100), splits)
def test_a_truncated_frame_is_no_frame(message: tuple[bytes, int, bytes], cut: int, sizes: list[int]) -> None:
    whole = frame(*message)
    cut = min(cut, len(whole) - 1)
    reader = FrameReader()
    assert read(reader, whole[:cut], sizes) == []
    assert read(reader, whole[cut:], sizes) == [message]


@given(st.lists(control, min_size=1, max_size=6))
def test_feed_copies_so_that_payloads_stay(messages: list[tuple[bytes, int, bytes]]) -> None:
    reader = FrameReader()
    frames = [each for message in messages for each in reader.feed(frame(*message))]
    assert [(code, tag, bytes(payload)) for code, tag, payload in frames] == messages


def test_payloads_stay_until_the_next_feed() -> None:
    reader = FrameReader()
    data = frame(b"AAAA", 1, b"x" * 1000) + frame(b"BBBB", 2, b"y" * 1000) + b"ZZ"
    reader.get_buffer(len(data))[: len(data)] = data
    frames = reader.advance(len(data))
    assert [bytes(each.payload) for each in frames] == [b"x" * 1000, b"y" * 1000]
    kept = frames[0].payload
    reader.get_buffer(300_000)  # a larger buffer is another one
    assert bytes(kept) == b"x" * 1000


def test_oversize_frame_is_refused_before_allocation() -> None:
    reader = FrameReader()
    header = HEADER.pack(b"EVIL", 0xFFFFFFFF, 7)
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match="more than 65536"):
            read(reader, header + b"\x00" * 100, [4096])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * 1024


def test_oversize_frame_one_byte_too_long() -> None:
    assert read(FrameReader(), frame(b"GOOD", 1, bytes(MAX_CONTROL_PAYLOAD)), [1 << 16]) != []
    with pytest.raises(ProtocolError):
        FrameReader().feed(encode_header(b"EVIL", MAX_CONTROL_PAYLOAD + 1, 1))


def test_oversize_frame_of_bulk_never_reaches_the_sink() -> None:
    shelf = Shelf({})
    with pytest.raises(ProtocolError, match="a piece of"):
        FrameReader(shelf).feed(encode_header(BULK, MAX_BULK_PAYLOAD + 1, 1))
    assert shelf.skipped == []


def test_oversize_frame_announced_byte_by_byte_grows_nothing() -> None:
    reader = FrameReader()
    for byte in HEADER.pack(b"GOOD", MAX_CONTROL_PAYLOAD, 1):
        assert reader.feed(bytes([byte])) == []
    assert len(reader.get_buffer()) <= MAX_CONTROL_PAYLOAD  # room for what was announced and allowed
    assert len(reader.get_buffer(10**9)) <= LARGEST


def test_unwanted_bulk_takes_no_memory() -> None:
    reader, piece = FrameReader(), b"\xaa" * 65536
    tracemalloc.start()
    try:
        assert reader.feed(encode_header(BULK, MAX_BULK_PAYLOAD, 3)) == []
        for _ in range(MAX_BULK_PAYLOAD // len(piece)):
            assert reader.feed(piece) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * LARGEST
    assert reader.feed(frame(b"PING", 1, b"")) == [(b"PING", 1, b"")]


def test_bulk_of_no_bytes() -> None:
    shelf = Shelf({4: 0})
    assert FrameReader(shelf).feed(frame(BULK, 4, b"") + frame(BULK, 5, b"")) == [(BULK, 4, b"")]


def test_bulk_goes_straight_into_the_sinks_memory() -> None:
    shelf = Shelf({9: 100_000})
    reader = FrameReader(shelf)
    reader.feed(encode_header(BULK, 100_000, 9) + b"ab")
    buffer = reader.get_buffer(4096)
    assert len(buffer) == 99_998
    buffer[:3] = b"cde"
    assert bytes(shelf.buffers[9][:5]) == b"abcde"
    reader.advance(3)
    assert shelf.progress == {9: 5}


@given(st.lists(st.tuples(st.integers(-1, 1 << 20), small), max_size=20))
def test_get_buffer_is_never_empty(reads: list[tuple[int, bytes]]) -> None:
    reader = FrameReader()
    for hint, payload in reads:
        for byte in frame(b"GOOD", 1, payload):
            buffer = reader.get_buffer(hint)
            assert 0 < len(buffer) <= LARGEST
            buffer[0] = byte
            reader.advance(1)


def test_a_reader_that_is_given_whole_frames_has_no_buffer() -> None:
    reader = FrameReader()
    data = frame(b"HELO", 7, b"x" * 3000)
    for _ in range(3):
        (taken,) = reader.take(data)
        assert (taken.code, taken.tag, bytes(taken.payload)) == (b"HELO", 7, b"x" * 3000)
    assert not reader._buffer  # noqa: SLF001 -- what this is about
    with pytest.raises(ProtocolError):
        reader.take(encode_header(b"HELO", MAX_CONTROL_PAYLOAD + 1, 0))


def test_an_idle_reader_is_small() -> None:
    reader = FrameReader()
    assert len(reader.get_buffer()) <= 4096
    read(reader, frame(b"LONG", 1, bytes(MAX_CONTROL_PAYLOAD)), [1 << 18])
    for _ in range(10):  # a few pings are enough to give the memory back
        read(reader, frame(b"PING", 1, b"\x90"), [4096])
    assert len(reader.get_buffer()) <= 4096
