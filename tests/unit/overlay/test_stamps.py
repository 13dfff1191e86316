from hypothesis import given
from hypothesis import strategies as st

from peerage.overlay.dht.limits import DHT_STAMP_BITS
from peerage.overlay.stamps import find_stamp, is_stamped, stamp_bits, stamp_subject

SUBJECT = stamp_subject(b"h" * 32, b"c" * 32)


def test_a_stamp_found_is_one_and_the_number_before_is_none():
    found = find_stamp(SUBJECT, 8, range(100_000))
    assert is_stamped(SUBJECT, found, 8)
    assert not any(is_stamped(SUBJECT, number, 8) for number in range(found))


def test_a_stamp_of_sixteen_bits_takes_about_that_many_tries():
    found = find_stamp(SUBJECT, DHT_STAMP_BITS, range(2**21))
    assert found is not None
    assert found > 256
    assert stamp_bits(SUBJECT, found) >= DHT_STAMP_BITS


def test_a_stamp_is_for_one_holder_and_one_content():
    found = find_stamp(SUBJECT, 12, range(2**18))
    assert not is_stamped(stamp_subject(b"i" * 32, b"c" * 32), found, 12)
    assert not is_stamped(stamp_subject(b"h" * 32, b"d" * 32), found, 12)


def test_there_may_be_none_in_a_range():
    assert find_stamp(SUBJECT, 40, range(10)) is None


def test_without_bits_every_number_is_one():
    assert find_stamp(SUBJECT, 0, range(1)) == 0
    assert is_stamped(SUBJECT, 12345, 0)


@given(st.integers(0, 2**63 - 1), st.integers(1, 40))
def test_bits_and_check_agree(stamp, bits):
    assert is_stamped(SUBJECT, stamp, bits) == (stamp_bits(SUBJECT, stamp) >= bits)
