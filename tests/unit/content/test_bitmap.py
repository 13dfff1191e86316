import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.content.bitmap import Bitmap
from peerage.errors import ProtocolError


@st.composite
def sets(draw):
    size = draw(st.integers(0, 70))
    return size, draw(st.sets(st.integers(0, size - 1))) if size else set()


@given(sets())
def test_a_bitmap_is_a_set_and_survives_the_wire(case):
    size, members = case
    bitmap = Bitmap(size, members)
    assert list(bitmap) == sorted(members)
    assert len(bitmap) == bitmap.count() == len(members)
    assert Bitmap.from_bytes(bitmap.to_bytes(), size) == bitmap
    assert bitmap.is_full() == (len(members) == size)
    assert {index for first, stop in bitmap.ranges() for index in range(first, stop)} == members
    assert all((index in bitmap) == (index in members) for index in range(-1, size + 9))


@given(sets())
def test_ranges_are_as_few_as_can_be(case):
    ranges = list(Bitmap(*case).ranges())
    assert all(stop < first for (_, stop), (first, _) in zip(ranges, ranges[1:], strict=False))


@given(st.integers(0, 40))
def test_full(size):
    full = Bitmap.full(size)
    assert list(full) == list(range(size))
    assert full.is_full()
    assert Bitmap.from_bytes(full.to_bytes(), size) == full


def test_discard_and_copy():
    bitmap = Bitmap(10, [1, 9])
    copy = bitmap.copy()
    bitmap.discard(9)
    bitmap.discard(9)
    assert list(bitmap) == [1]
    assert list(copy) == [1, 9]
    assert bitmap.run(0) == 2
    assert repr(copy) == "Bitmap(2 of 10)"


@given(st.binary(max_size=12), st.integers(0, 90))
def test_garbage_gives_only_a_protocol_error(data, size):
    try:
        bitmap = Bitmap.from_bytes(data, size)
    except ProtocolError:
        return
    assert bitmap.to_bytes() == data
    assert all(index < size for index in bitmap)


@pytest.mark.parametrize("index", [-1, 10])
def test_an_index_outside_is_an_error(index):
    with pytest.raises(IndexError):
        Bitmap(10).add(index)
    with pytest.raises(IndexError):
        Bitmap(10).discard(index)
