from hypothesis import given
from hypothesis import strategies as st

from peerage.transport.byte_queue import ByteQueue

pieces = st.lists(st.binary(min_size=1, max_size=50), max_size=30)


@given(pieces, st.lists(st.integers(1, 60)))
def test_any_cut_gives_the_same_bytes(puts, cuts):
    queue, out = ByteQueue(), b""
    for piece in puts:
        queue.put(piece)
    for cut in cuts:
        if queue.size:
            taken = queue.take(cut)
            assert 0 < len(taken) <= cut
            out += taken
    out += b"".join(bytes(queue.take(1000)) for _ in puts if queue.size)
    assert out == b"".join(puts)
    assert queue.size == 0


@given(pieces, st.integers(1, 70))
def test_buffers_are_filled_as_far_as_there_is_something(puts, room):
    queue, out = ByteQueue(), b""
    for piece in puts:
        queue.put(piece)
    while queue.size:
        before, buffer = queue.size, bytearray(room)
        count = queue.fill(memoryview(buffer))
        assert count == min(room, before)
        assert queue.size == before - count
        out += buffer[:count]
    assert out == b"".join(puts)


def test_a_cleared_queue_can_be_used_again():
    queue = ByteQueue()
    queue.put(b"one")
    queue.take(1)
    queue.clear()
    assert queue.size == 0
    queue.put(b"two")
    assert bytes(queue.take(9)) == b"two"
