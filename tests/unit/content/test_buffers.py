"""Buffers: one pair of hands at a time, and no more kept than the bound."""

from hypothesis import given
from hypothesis import strategies as st

from peerage.content.buffers import BufferPool
from peerage.limits import KIB

LENGTHS = [1, 100, 64 * KIB, 100 * KIB, 256 * KIB, 1024 * KIB]


def test_a_buffer_that_was_given_back_is_used_again():
    pool = BufferPool()
    buffer = pool.take(256 * KIB)
    buffer[:4] = b"used"
    pool.give_back(buffer)
    assert bytes(pool.take(256 * KIB)[:4]) == b"used"
    assert bytes(pool.take(256 * KIB)[:4]) == bytes(4)


def test_small_buffers_and_too_large_ones_are_not_kept():
    pool = BufferPool(200 * KIB)
    for length in (1, 1000, 201 * KIB):
        pool.give_back(pool.take(length))
    assert pool._kept == 0
    assert not pool._free


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(LENGTHS)), max_size=60))
def test_no_buffer_is_in_two_hands_and_what_is_kept_is_bounded(steps):
    pool = BufferPool(1500 * KIB)
    taken: list[memoryview] = []
    for take, length in steps:
        if take or not taken:
            buffer = pool.take(length)
            assert len(buffer) == length
            assert all(buffer.obj is not each.obj for each in taken)
            taken.append(buffer)
        else:
            pool.give_back(taken.pop(0))
        assert pool._kept == sum(length * len(each) for length, each in pool._free.items())
        assert pool._kept <= 1500 * KIB
