import pytest
from hypothesis import given
from hypothesis import strategies as st

from peerage.errors import ProtocolError
from peerage.identity.address import Address
from peerage.limits import ANSWER_RECORDS, MAX_ADDRESSES, MAX_CONTROL_PAYLOAD, MAX_RECORD_BYTES
from peerage.overlay.flood.messages import FindHolders, FindRecords, HolderFound, RecordsFound, cut_into_messages
from peerage.wire.frame import HEADER_BYTES
from peerage.wire.message import decode, encode

ID = b"1" * 16
MESSAGES = [
    FindRecords(ID, 4, 100, "blue train"),
    FindHolders(ID, 4, 100, b"l" * 32),
    RecordsFound(ID, 0, (Address("192.0.2.1", 1),), (b"one", b"two")),
    HolderFound(ID, 0, (), b"p" * 32, private=True),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_messages_survive_the_wire(message):
    assert decode(type(message), encode(message)[HEADER_BYTES:]) == message


@pytest.mark.parametrize(
    "bad",
    [
        FindRecords(ID[:-1], 4, 100, "blue"),
        FindRecords(ID, 256, 100, "blue"),
        FindRecords(ID, -1, 100, "blue"),
        FindRecords(ID, 4, 0, "blue"),
        FindRecords(ID, 4, 100, ""),
        FindRecords(ID, 4, 100, "x" * 257),
        FindHolders(ID, 4, 100, b"l" * 33),
        RecordsFound(ID, 0, (), ()),
        RecordsFound(ID, 0, (), (b"",)),
        RecordsFound(ID, 0, (), (b"x",) * (ANSWER_RECORDS + 1)),
        RecordsFound(ID, 0, (), (b"x" * (MAX_RECORD_BYTES + 1),)),
        RecordsFound(ID, 0, (Address("h", 1),) * (MAX_ADDRESSES + 1), (b"x",)),
        HolderFound(ID, 0, (), b"p" * 31),
    ],
)
def test_what_is_out_of_bounds_is_no_message(bad):
    with pytest.raises(ProtocolError):
        decode(type(bad), encode(bad)[HEADER_BYTES:])


@given(st.lists(st.integers(1, MAX_RECORD_BYTES), max_size=200))
def test_records_are_cut_into_messages_that_fit(sizes):
    records = [bytes(size) for size in sizes]
    groups = list(cut_into_messages(records))
    assert [record for group in groups for record in group] == records
    addresses = (Address("h" * 253, 65535),) * MAX_ADDRESSES
    for group in groups:
        message = RecordsFound(ID, 255, addresses, group)
        assert len(encode(message)) <= MAX_CONTROL_PAYLOAD
        assert decode(RecordsFound, encode(message)[HEADER_BYTES:]) == message
